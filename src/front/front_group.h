/* What the commands of groups share: handing in to the directory, and its errors. */
#ifndef LOCKSTEP_FRONT_FRONT_GROUP_H
#define LOCKSTEP_FRONT_FRONT_GROUP_H

#include "contract/protocol.h"
#include "front/front_internal.h"
#include "service/directory/directory.h"

/* Answers an error, whose text begins with its code word. */
enum front_outcome front_group_error(struct front_call *call, const char *error);
/* True when the node's group `default` has a directory of groups. */
bool front_group_has_directory(const struct front_call *call);
/* Hands an update of the directory in, which `encode` appends to the bundle (false: no memory). The connection waits
 * when there is no room for it. */
enum front_outcome front_group_update(struct front_call *call, bool (*encode)(struct buffer *out, const void *context),
                                      const void *context);
/* Copies a word that may be a name in the directory: 1 to 31 bytes, none of them zero. */
bool front_group_name(struct span text, char out[DIRECTORY_TEXT_SIZE_MAX + 1]);
/* The most faults that so many members can mask by that rule; 0 where the rule names none. */
uint32_t front_most_faults(enum members_for_k rule, uint32_t members);

#endif
