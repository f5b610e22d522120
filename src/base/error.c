/* Texts of the error codes. */
#include "base/error.h"

const char *error_text(int code)
{
    switch (code) {
    case OK: return "no error";
#define ERROR_CASE(name, code, text)                                                                                   \
    case name: return text;
        ERROR_LIST(ERROR_CASE)
#undef ERROR_CASE
    }
    return "unknown error";
}
