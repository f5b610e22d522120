/* Addresses of members. A member is one process of one group on one node; its address is the pair. Node ids are
 * chosen by people and start at 1; 0 means "nobody". */
#ifndef LOCKSTEP_CONTRACT_ADDRESS_H
#define LOCKSTEP_CONTRACT_ADDRESS_H

#include <stdint.h>

struct address {
    uint32_t node;
    uint32_t group;
};

#endif
