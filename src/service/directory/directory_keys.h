/* From a laid out command to the group that owns its keys, by the table of commands; those inside EXEC are looked at too. */
#ifndef LOCKSTEP_SERVICE_DIRECTORY_DIRECTORY_KEYS_H
#define LOCKSTEP_SERVICE_DIRECTORY_DIRECTORY_KEYS_H

#include "contract/command.h"
#include "service/directory/directory.h"

/* The group that owns the first of the command's keys which `default` does not, or NULL: all are default's, or it has no
 * keys. What is malformed has none, and the service answers what is wrong with it. */
const struct directory_group *directory_owner_of_command(const struct directory *directory,
                                                         const struct command *command);

#endif
