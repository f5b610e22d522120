/* Names of events, for traces. */
#include "contract/event.h"

const char *event_kind_name(enum event_kind kind)
{
    switch (kind) {
    case EVENT_RESTORE:
        return "RESTORE";
    case EVENT_START:
        return "START";
    case EVENT_STORED:
        return "STORED";
    case EVENT_RESULT:
        return "RESULT";
    case EVENT_STATE:
        return "STATE";
    case EVENT_PEER:
        return "PEER";
    case EVENT_MESSAGE:
        return "MESSAGE";
    case EVENT_REQUEST:
        return "REQUEST";
    case EVENT_TIMEOUT:
        return "TIMEOUT";
    case EVENT_TURN:
        return "TURN";
    }
    return "?";
}
