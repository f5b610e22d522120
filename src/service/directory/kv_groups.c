/* kv with the directory of groups (kv_groups.h).
 *
 * Checkpoint: a head (u32 magic, u32 size), the directory's bytes, then kv's. One that begins with anything else was
 * written by plain kv: then there were no groups.
 *
 * Cost: GROUP.CREATE with a prefix looks at all keys, once. Other commands pay for the check of their keys only while
 * there are groups. */
#include "service/directory/kv_groups.h"

#include "base/error.h"
#include "base/hash.h"
#include "contract/reply.h"
#include "contract/text.h"
#include "service/commands.h"
#include "service/directory/directory_keys.h"
#include "service/kv/kv.h"

enum { HEAD_SIZE = 8, HEAD_MAGIC = 0x5244474c, WHY_SIZE = 192 };

struct kv_groups {
    const struct group_spec *spec; /* borrowed */
    void *kv;
    struct directory directory;
    struct directory frozen; /* as of checkpoint_begin */
    bool frozen_written;
    bool restoring, passing; /* passing: all that follows is kv's */
    uint8_t head[HEAD_SIZE + DIRECTORY_BYTES_MAX];
    size_t head_size;
};

static void *groups_create(struct heap *heap, const struct group_spec *spec)
{
    struct kv_groups *self = heap_alloc_zero(heap, sizeof *self);
    if (self == NULL)
        return NULL;
    self->spec = spec;
    directory_init(&self->directory);
    self->kv = kv_service.create(heap, spec);
    if (self->kv != NULL)
        return self;
    heap_free(heap, self);
    return NULL;
}

const struct directory *kv_groups_directory(const struct service *service, const void *self)
{
    const struct kv_groups *groups = self;
    return service != &kv_groups_service || groups->restoring ? NULL : &groups->directory;
}

/* ---- the directory's own commands ---- */

static bool take_text(struct span *rest, char out[DIRECTORY_TEXT_SIZE_MAX + 1])
{
    struct span argument;
    if (!argument_next(rest, &argument) || argument.size > DIRECTORY_TEXT_SIZE_MAX)
        return false;
    memset(out, 0, DIRECTORY_TEXT_SIZE_MAX + 1);
    if (argument.size > 0)
        memcpy(out, argument.data, argument.size);
    return strlen(out) == argument.size;
}

static bool take_number(struct span *rest, uint32_t *out)
{
    struct span argument;
    if (!argument_next(rest, &argument) || argument.size != 4)
        return false;
    *out = load_u32(argument.data);
    return true;
}

static bool parse_create(const struct command *command, struct directory_group *out)
{
    memset(out, 0, sizeof *out);
    struct span rest = command->arguments, prefix;
    if (command->argc < 6 || !take_text(&rest, out->name) || !take_text(&rest, out->protocol) ||
        !take_text(&rest, out->service) || !argument_next(&rest, &prefix) || !take_number(&rest, &out->k))
        return false;
    out->prefix_size = (uint32_t)prefix.size;
    if (prefix.size > 0 && prefix.size <= DIRECTORY_PREFIX_SIZE_MAX)
        memcpy(out->prefix, prefix.data, prefix.size);
    for (uint32_t member; rest.size > 0; out->members[out->member_count++] = member)
        if (out->member_count == DIRECTORY_MEMBERS_MAX || !take_number(&rest, &member))
            return false;
    return true;
}

static void create_group(struct kv_groups *self, const struct delivery *delivery, struct buffer *reply)
{
    struct directory_group group;
    if (!parse_create(&delivery->command, &group)) {
        (void)reply_error(reply, "ERR a malformed GROUP.CREATE: names have at most 31 bytes, a group 1 to 16 members");
        return;
    }
    group.created = delivery->index;
    /* Entered first: the checks of the table come before the walk through all keys. */
    struct directory tried = self->directory;
    char why[WHY_SIZE];
    if (directory_add(&tried, &group, self->spec->members, self->spec->member_count, why, sizeof why) != OK) {
        (void)reply_error(reply, why);
        return;
    }
    if (group.prefix_size > 0 && kv_holds_prefix(self->kv, span_of(group.prefix, group.prefix_size))) {
        (void)reply_error(reply, "ERR the group default holds keys with that prefix, which nobody could reach any more; "
                                 "rename or delete them first");
        return;
    }
    self->directory = tried;
    (void)reply_simple(reply, "OK");
}

static void drop_group(struct kv_groups *self, const struct command *command, struct buffer *reply)
{
    struct span rest = command->arguments, name;
    if (!argument_next(&rest, &name) || !directory_remove(&self->directory, name))
        (void)reply_error(reply, "ERR there is no group of that name; GROUP.LIST names those that there are");
    else
        (void)reply_simple(reply, "OK");
}

/* Does a client need a key here? Members of a group that masks arbitrary failures believe only what is proven. */
static bool key_is_needed(const struct kv_groups *self)
{
    return self->spec->protocol != NULL && self->spec->protocol->masks > MASKS_TIMING;
}

static void enrol_client(struct kv_groups *self, const struct command *command, struct buffer *reply)
{
    struct span rest = command->arguments, key;
    struct directory_client client;
    char why[WHY_SIZE];
    if (!take_number(&rest, &client.node) || !argument_next(&rest, &key) || key.size != DIRECTORY_KEY_SIZE ||
        rest.size > 0) {
        (void)reply_error(reply, "ERR a malformed GROUP.ENROL: it is a number and 64 bytes of key");
        return;
    }
    memcpy(client.key, key.data, DIRECTORY_KEY_SIZE);
    if (key_is_needed(self) && !directory_client_has_key(&client))
        (void)reply_error(reply, "ERR the group default masks arbitrary failures, so a client needs a key: the 64 "
                                 "bytes of its file node-N in hexadecimal digits");
    else if (directory_enrol(&self->directory, &client, self->spec->members, self->spec->member_count, why,
                             sizeof why) != OK)
        (void)reply_error(reply, why);
    else
        (void)reply_simple(reply, "OK");
}

static void expel_client(struct kv_groups *self, const struct command *command, struct buffer *reply)
{
    struct span rest = command->arguments;
    uint32_t node;
    if (!take_number(&rest, &node) || !directory_expel(&self->directory, node))
        (void)reply_error(reply, "ERR there is no enrolled client of that number; GROUP.CLIENTS names those that there "
                                 "are");
    else
        (void)reply_simple(reply, "OK");
}

static void put_directory(const struct kv_groups *self, struct buffer *reply)
{
    uint8_t bytes[DIRECTORY_BYTES_MAX];
    (void)reply_bulk(reply, span_of(bytes, directory_encode(&self->directory, bytes)));
}

static bool is_own(uint16_t op)
{
    return op == OP_GROUP_CREATE || op == OP_GROUP_DROP || op == OP_GROUP_LIST || op == OP_GROUP_ENROL ||
           op == OP_GROUP_EXPEL || op == OP_GROUP_DIRECTORY;
}

static void deliver_own(struct kv_groups *self, const struct delivery *delivery, struct buffer *reply)
{
    uint16_t op = delivery->command.op;
    if (op == OP_GROUP_LIST || op == OP_GROUP_DIRECTORY)
        put_directory(self, reply);
    else if (delivery->read)
        (void)reply_error(reply, "ERR a command that writes was delivered as a read");
    else if (op == OP_GROUP_CREATE)
        create_group(self, delivery, reply);
    else if (op == OP_GROUP_DROP)
        drop_group(self, &delivery->command, reply);
    else if (op == OP_GROUP_ENROL)
        enrol_client(self, &delivery->command, reply);
    else
        expel_client(self, &delivery->command, reply);
}

static void groups_deliver(void *service, const struct delivery *delivery, struct service_out *out)
{
    struct kv_groups *self = service;
    if (is_own(delivery->command.op)) {
        deliver_own(self, delivery, out->reply);
        return;
    }
    const struct directory_group *owner = directory_owner_of_command(&self->directory, &delivery->command);
    if (owner == NULL) {
        kv_service.deliver(self->kv, delivery, out);
        return;
    }
    char why[WHY_SIZE];
    struct text text = text_begin(why, sizeof why);
    text_add(&text, "TRYAGAIN a key of this command belongs to group '");
    text_add(&text, owner->name);
    text_add(&text, "', which this node has only just learnt; nothing was executed, send it again");
    (void)reply_error(out->reply, why);
}

/* ---- checkpoints ---- */

static void groups_checkpoint_begin(void *service)
{
    struct kv_groups *self = service;
    self->frozen = self->directory;
    self->frozen_written = false;
    kv_service.checkpoint_begin(self->kv);
}

static bool groups_checkpoint_next(void *service, struct buffer *out, size_t bytes)
{
    struct kv_groups *self = service;
    if (self->frozen_written)
        return kv_service.checkpoint_next(self->kv, out, bytes);
    uint8_t encoded[DIRECTORY_BYTES_MAX];
    size_t size = directory_encode(&self->frozen, encoded);
    uint8_t *at = buffer_grow(out, HEAD_SIZE + size);
    if (at == NULL)
        return true; /* tried again */
    store_u32(at, HEAD_MAGIC);
    store_u32(at + 4, (uint32_t)size);
    memcpy(at + HEAD_SIZE, encoded, size);
    self->frozen_written = true;
    return true;
}

static void groups_checkpoint_end(void *service)
{
    struct kv_groups *self = service;
    kv_service.checkpoint_end(self->kv);
}

static void groups_restore_begin(void *service)
{
    struct kv_groups *self = service;
    directory_init(&self->directory);
    self->restoring = true;
    self->passing = false;
    self->head_size = 0;
    kv_service.restore_begin(self->kv);
}

/* Takes bytes until there are `size` of the head; true when they are there. */
static bool head_fill(struct kv_groups *self, size_t size, struct span *bytes)
{
    size_t missing = size - self->head_size;
    size_t taken = bytes->size < missing ? bytes->size : missing;
    if (taken > 0)
        memcpy(self->head + self->head_size, bytes->data, taken);
    self->head_size += taken;
    bytes->data += taken;
    bytes->size -= taken;
    return self->head_size == size;
}

static bool restore_head(struct kv_groups *self, struct span *bytes)
{
    if (self->head_size < HEAD_SIZE && !head_fill(self, HEAD_SIZE, bytes))
        return true;
    if (load_u32(self->head) != HEAD_MAGIC) {
        self->passing = true;
        return kv_service.restore_next(self->kv, span_of(self->head, HEAD_SIZE));
    }
    size_t size = load_u32(self->head + 4);
    if (size > DIRECTORY_BYTES_MAX)
        return false;
    if (!head_fill(self, HEAD_SIZE + size, bytes))
        return true;
    self->passing = true;
    return directory_decode(span_of(self->head + HEAD_SIZE, size), &self->directory);
}

static bool groups_restore_next(void *service, struct span bytes)
{
    struct kv_groups *self = service;
    if (!self->restoring || (!self->passing && !restore_head(self, &bytes)))
        return false;
    return bytes.size == 0 || kv_service.restore_next(self->kv, bytes);
}

static bool groups_restore_end(void *service)
{
    struct kv_groups *self = service;
    bool whole = self->restoring && self->passing;
    self->restoring = false;
    return kv_service.restore_end(self->kv) && whole;
}

/* ---- looking in ---- */

static uint64_t groups_digest(void *service)
{
    static const uint64_t key[2] = {UINT64_C(0x6469726563746f72), UINT64_C(0x79206f662067726f)};
    struct kv_groups *self = service;
    uint8_t bytes[DIRECTORY_BYTES_MAX];
    size_t size = directory_encode(&self->directory, bytes);
    return hash_mix(kv_service.digest(self->kv), hash_keyed(key, bytes, size));
}

static uint64_t groups_bytes_used(const void *service)
{
    return kv_service.bytes_used(((const struct kv_groups *)service)->kv);
}

static uint64_t groups_item_count(const void *service)
{
    return kv_service.item_count(((const struct kv_groups *)service)->kv);
}

const struct service kv_groups_service = {
    .name = "kv+groups",
    .needs_order = ORDER_TOTAL,
    .needs_atomic = true,
    .needs_durable = false,
    .create = groups_create,
    .deliver = groups_deliver,
    .checkpoint_begin = groups_checkpoint_begin,
    .checkpoint_next = groups_checkpoint_next,
    .checkpoint_end = groups_checkpoint_end,
    .restore_begin = groups_restore_begin,
    .restore_next = groups_restore_next,
    .restore_end = groups_restore_end,
    .digest = groups_digest,
    .bytes_used = groups_bytes_used,
    .item_count = groups_item_count,
};
