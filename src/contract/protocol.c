/* Names of what a protocol declares, for cards, errors and documentation. */
#include "contract/protocol.h"

const char *order_name(enum order order)
{
    switch (order) {
    case ORDER_NONE:
        return "none";
    case ORDER_FIFO:
        return "FIFO";
    case ORDER_CAUSAL:
        return "causal";
    case ORDER_TOTAL:
        return "total";
    }
    return "?";
}

const char *failure_model_name(enum failure_model model)
{
    switch (model) {
    case MASKS_NOTHING:
        return "nothing";
    case MASKS_CRASH:
        return "crash";
    case MASKS_OMISSION:
        return "omission";
    case MASKS_TIMING:
        return "timing";
    case MASKS_VALUE:
        return "value";
    case MASKS_ARBITRARY:
        return "arbitrary";
    }
    return "?";
}

const char *members_for_k_name(enum members_for_k members)
{
    switch (members) {
    case MEMBERS_ANY:
        return "any";
    case MEMBERS_K_PLUS_1:
        return "k+1";
    case MEMBERS_2K_PLUS_1:
        return "2k+1";
    case MEMBERS_3K_PLUS_1:
        return "3k+1";
    }
    return "?";
}

const char *maturity_name(enum maturity maturity)
{
    switch (maturity) {
    case MATURITY_LAB:
        return "lab";
    case MATURITY_PRODUCTION:
        return "production";
    }
    return "?";
}
