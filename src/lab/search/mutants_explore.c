/* Mutants that campaigns do not find, explored (mutants.h). */
#include <string.h>

#include "lab/judge/explore_properties.h"
#include "lab/search/mutants.h"

#define MEMORY_BYTES_MAX ((size_t)1 << 30)

/* Of the property's sentence, its tag. */
static void note_tag(struct mutant_measure *measure, const char *sentence)
{
    size_t length = strcspn(sentence, " ");
    if (length >= sizeof measure->explored_property)
        length = sizeof measure->explored_property - 1;
    memcpy(measure->explored_property, sentence, length);
    measure->explored_property[length] = '\0';
}

void mutants_explore(const struct protocol *protocol, struct mutant_measure *measure)
{
    struct explore_config config;
    char why[300];
    explore_usual(protocol, &config);
    explore_settle(&config);
    config.ablations = measure->mutant.ablation;
    config.memory_bytes_max = MEMORY_BYTES_MAX;
    if (config.property == NULL || !config.property->rounds)
        return; /* others are explored with options that depend on the rule: docs/exploration.md */
    struct explorer *explorer = explore_create(&config, why, sizeof why);
    if (explorer == NULL)
        return;
    struct explore_result result;
    explore_run(explorer, &result);
    if (result.verdict == EXPLORE_VIOLATED) {
        measure->explored_steps = result.trace_length;
        note_tag(measure, result.violation);
    }
    explore_destroy(explorer);
}
