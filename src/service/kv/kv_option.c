/* Options of SET and GETEX (kv_option.h), with the exclusions of Redis' parseExtendedStringArgumentsOrReply: an
 * expiry may be given twice in the same unit, the last one counts. */
#include "service/kv/kv_option.h"

struct expiry_word {
    const char *word;
    bool relative;
    enum kv_unit unit;
};

static const struct expiry_word expiry_words[] = {
    {"EX", true, UNIT_SECONDS},
    {"PX", true, UNIT_MILLISECONDS},
    {"EXAT", false, UNIT_SECONDS},
    {"PXAT", false, UNIT_MILLISECONDS},
};

/* Reads an expiry, whose number is the next argument. False when `word` begins none, or one too many. */
static bool expiry_read(struct kv_call *call, struct span word, struct kv_expiry *out)
{
    for (size_t i = 0; i < sizeof expiry_words / sizeof expiry_words[0]; i++) {
        const struct expiry_word *known = &expiry_words[i];
        if (!kv_argument_is(word, known->word))
            continue;
        if (call->rest.size == 0 || (out->given && (out->relative != known->relative || out->unit != known->unit)))
            return false;
        *out = (struct kv_expiry){.given = true, .relative = known->relative, .unit = known->unit};
        out->text = kv_call_next(call);
        return true;
    }
    return false;
}

static bool set_word(struct span word, struct kv_options *options)
{
    if (kv_argument_is(word, "NX") && options->condition != CONDITION_XX)
        options->condition = CONDITION_NX;
    else if (kv_argument_is(word, "XX") && options->condition != CONDITION_NX)
        options->condition = CONDITION_XX;
    else if (kv_argument_is(word, "GET"))
        options->get = true;
    else if (kv_argument_is(word, "KEEPTTL") && !options->expiry.given)
        options->keep = true;
    else
        return false;
    return true;
}

static bool getex_word(struct span word, struct kv_options *options)
{
    if (!kv_argument_is(word, "PERSIST") || options->expiry.given)
        return false;
    options->persist = true;
    return true;
}

bool kv_options_read(struct kv_call *call, bool getex, struct kv_options *out)
{
    *out = (struct kv_options){.condition = CONDITION_NONE};
    while (call->rest.size > 0) {
        struct span word = kv_call_next(call);
        bool known = getex ? getex_word(word, out) : set_word(word, out);
        if (!known && !out->keep && !out->persist)
            known = expiry_read(call, word, &out->expiry);
        if (!known) {
            kv_call_error(call, KV_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

bool kv_expiry_deadline(struct kv_call *call, const struct kv_expiry *expiry, int64_t *out_ms)
{
    int64_t value;
    if (!kv_call_integer(call, expiry->text, &value))
        return false;
    bool valid = value > 0 && (expiry->unit == UNIT_MILLISECONDS || value <= INT64_MAX / 1000);
    if (valid && expiry->unit == UNIT_SECONDS)
        value *= 1000;
    int64_t base_ms = expiry->relative ? call->kv->now_ms : 0;
    if (!valid || value > INT64_MAX - base_ms) {
        kv_call_error_named(call, "ERR invalid expire time in '", "' command");
        return false;
    }
    *out_ms = value + base_ms;
    return true;
}
