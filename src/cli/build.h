/* What this program calls itself: its version and the identity that the linker gave it, so that a recording is replayed
 * by the program that made it. */
#ifndef LOCKSTEP_CLI_BUILD_H
#define LOCKSTEP_CLI_BUILD_H

/* "0.1.0 3fa2…", at most 63 bytes; only the version where the linker gave no identity. */
const char *cli_build(void);

#endif
