/* What a running node says of itself (node_view.h). */
#include "cli/node_view.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "cli/resp_client.h"

static uint64_t number_of(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static void text_of(const json_t *object, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    snprintf(out, size, "%s", text != NULL ? text : "");
}

static void group_read(const json_t *object, struct group_view *out)
{
    const json_t *voter = json_object_get(object, "voter");
    *out = (struct group_view){
        .group = (uint32_t)number_of(object, "group"),
        .term = number_of(object, "term"),
        .leader = (uint32_t)number_of(object, "leader"),
        .commit = number_of(object, "commit"),
        .applied = number_of(object, "applied"),
        .lag = number_of(object, "lag"),
        .voter = voter == NULL || json_is_true(voter),
    };
    text_of(object, "name", out->name, sizeof out->name);
    text_of(object, "role", out->role, sizeof out->role);
}

static void peer_read(const json_t *object, struct peer_view *out)
{
    *out = (struct peer_view){
        .node = (uint32_t)number_of(object, "node"),
        .connected = json_is_true(json_object_get(object, "connected")),
        .suspicion = (uint32_t)number_of(object, "suspicion"),
        .wrong_answers = number_of(object, "wrong_answers"),
    };
    text_of(object, "client_address", out->address, sizeof out->address);
}

bool node_view_read(struct node_view *out, const char *json, size_t size)
{
    json_error_t error;
    json_t *root = json_loadb(json, size, 0, &error);
    if (!json_is_object(root)) {
        snprintf(out->why, sizeof out->why, "its status is not readable: %s", root == NULL ? error.text : "no object");
        json_decref(root);
        return false;
    }
    out->node = (uint32_t)number_of(root, "node");
    out->pid = (int64_t)number_of(root, "pid");
    const json_t *sync = json_object_get(root, "last_fsync_us");
    out->last_fsync_us = json_is_number(sync) ? (int64_t)json_number_value(sync) : -1;
    const json_t *groups = json_object_get(root, "groups");
    for (size_t i = 0; i < json_array_size(groups) && out->group_count < NODE_VIEW_GROUPS_MAX; i++)
        group_read(json_array_get(groups, i), &out->groups[out->group_count++]);
    const json_t *peers = json_object_get(root, "peers");
    for (size_t i = 0; i < json_array_size(peers) && out->peer_count < NODE_VIEW_PEERS_MAX; i++)
        peer_read(json_array_get(peers, i), &out->peers[out->peer_count++]);
    json_decref(root);
    return true;
}

bool node_view_ask(struct node_view *out, const char *address, int timeout_ms)
{
    memset(out, 0, sizeof *out);
    snprintf(out->address, sizeof out->address, "%s", address);
    out->last_fsync_us = -1;
    struct resp_client *client;
    if (resp_client_open(&client, address, timeout_ms, out->why, sizeof out->why) != OK)
        return false;
    const char *const command[] = {"LOCKSTEP", "STATUS"};
    struct resp_value answer;
    int status = resp_client_command(client, 2, command, &answer);
    if (status != OK)
        snprintf(out->why, sizeof out->why, "%s does not answer: %s", address, error_text(status));
    else if (resp_value_is_error(&answer))
        snprintf(out->why, sizeof out->why, "%s answers: %.200s", address, answer.text);
    else if (answer.text == NULL)
        snprintf(out->why, sizeof out->why, "%s answers something else than its status", address);
    else
        out->reachable = node_view_read(out, answer.text, answer.size);
    if (status == OK)
        resp_value_free(&answer);
    resp_client_close(client);
    return out->reachable;
}
