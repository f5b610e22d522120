/* Hashing effects (effect_hash.h). */
#include "contract/effect_hash.h"

uint64_t fold_effect(uint64_t hash, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_STORE:
        hash = fold(fold(hash, effect->store.position), effect->store.type);
        return fold_span(fold_span(hash, effect->store.head), effect->store.tail);
    case EFFECT_SEND:
        for (uint32_t i = 0; i < effect->send.to_count; i++)
            hash = fold(hash, effect->send.to[i]);
        hash = fold(fold(hash, effect->send.type), effect->send.after);
        hash = fold(fold(hash, effect->send.records_first), effect->send.records_last);
        return fold_span(fold_span(hash, effect->send.head), effect->send.tail);
    case EFFECT_ARM:
        return fold(fold(hash, effect->arm.name), (uint64_t)effect->arm.at_ns);
    case EFFECT_CHECKPOINT:
        return fold_span(fold(hash, effect->checkpoint.keep_from), effect->checkpoint.part);
    case EFFECT_ADOPT:
        hash = fold(fold(hash, effect->adopt.index), effect->adopt.digest);
        for (uint32_t i = 0; effect->adopt.seal.size != 0 && i < 4; i++)
            hash = fold(hash, effect->adopt.seal.digest[i]);
        return hash;
    case EFFECT_DELIVER:
        hash = fold(fold(hash, effect->deliver.index), effect->deliver.record);
        if (effect->deliver.kind == DELIVER_LOOK)
            hash = fold(hash, DELIVER_LOOK);
        return fold(hash, effect->deliver.count);
    case EFFECT_REPLY:
        hash = fold(fold(hash, (uint64_t)effect->reply.kind), effect->reply.first_number);
        if (effect->reply.index != 0)
            hash = fold(hash, effect->reply.index);
        return fold_span(hash, effect->reply.bytes);
    case EFFECT_SUSPECT:
        return fold(fold(hash, effect->suspect.node), effect->suspect.level);
    case EFFECT_VIEW:
        return fold(fold(hash, effect->view.number), effect->view.orderer);
    case EFFECT_NOTE:
        return fold_span(fold(hash, effect->note.value), span_string(effect->note.text));
    case EFFECT_AGAIN:
        return hash;
    }
    return hash;
}
