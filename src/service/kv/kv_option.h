/* Options of the commands that set values and expiries: EX, PX, EXAT, PXAT, KEEPTTL, PERSIST, NX, XX, GET. */
#ifndef LOCKSTEP_SERVICE_KV_OPTION_H
#define LOCKSTEP_SERVICE_KV_OPTION_H

#include "service/kv/kv_state.h"

enum kv_unit { UNIT_SECONDS, UNIT_MILLISECONDS };

/* How a deadline is given. */
struct kv_expiry {
    bool given;
    bool relative; /* to now, else a time */
    enum kv_unit unit;
    struct span text; /* the number */
};

enum kv_condition { CONDITION_NONE, CONDITION_NX, CONDITION_XX };

struct kv_options {
    enum kv_condition condition;
    bool get;     /* answer the old value */
    bool keep;    /* keep the old deadline */
    bool persist; /* take the deadline away */
    struct kv_expiry expiry;
};

/* Reads the options of SET, or those of GETEX, to the end of the arguments. Answers a syntax error when they are
 * wrong. */
bool kv_options_read(struct kv_call *call, bool getex, struct kv_options *out);

/* The deadline that an expiry gives: what is relative becomes absolute by the agreed time. Answers an error when it is
 * no number, not positive, or too large. */
bool kv_expiry_deadline(struct kv_call *call, const struct kv_expiry *expiry, int64_t *out_ms);

#endif
