/* Pictures of a violation that the explorer found. */
#ifndef LOCKSTEP_CLI_EXPLORE_PICTURES_H
#define LOCKSTEP_CLI_EXPLORE_PICTURES_H

#include "cli/pictures.h"
#include "host/explore/explore.h"

/* Executes the shortest trace again and draws it; its transitions are a millisecond apart. `title` stands above.
 * CLI_OK, or CLI_FAILED after a message. */
int explore_draw(struct explorer *explorer, const struct explore_config *config, const struct explore_result *result,
                 struct pictures *pictures, const char *title);

#endif
