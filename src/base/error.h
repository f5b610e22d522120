/* The one list of error codes: how an operation failed.
 *
 * A function that can fail returns OK or one of these, which are negative, so that a count or a position can share the
 * return value. Append at the end only: codes are printed in traces and in recordings. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* X(name, code, text) */
#define ERROR_LIST(X)                                                                                                  \
    X(ERROR_NO_MEMORY, -1, "the heap is full")                                                                         \
    X(ERROR_IO, -2, "the device or the network failed")                                                                \
    X(ERROR_NO_SPACE, -3, "the disk is full")                                                                          \
    X(ERROR_CORRUPT, -4, "the data is damaged")                                                                        \
    X(ERROR_TOO_LARGE, -5, "larger than the limit")                                                                    \
    X(ERROR_NOT_FOUND, -6, "not found")                                                                                \
    X(ERROR_EXISTS, -7, "exists already")                                                                              \
    X(ERROR_INVALID, -8, "not valid")                                                                                  \
    X(ERROR_VERSION, -9, "of a version that this build does not speak")                                                \
    X(ERROR_WRONG_NODE, -10, "belongs to another node")                                                                \
    X(ERROR_WRONG_CLUSTER, -11, "belongs to another cluster")                                                          \
    X(ERROR_BUSY, -12, "busy, try again later")                                                                        \
    X(ERROR_TIMEOUT, -13, "timed out")                                                                                 \
    X(ERROR_CLOSED, -14, "closed")                                                                                     \
    X(ERROR_PERMISSION, -15, "not permitted")

enum {
    OK = 0,
#define ERROR_ENUM(name, code, text) name = (code),
    ERROR_LIST(ERROR_ENUM)
#undef ERROR_ENUM
};

/* The text of a code, without a full stop; never NULL: an unknown code has a text that says so. Static. */
const char *error_text(int code);

#endif
