#include "lab/plan/plan_chain.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/panic.h"

/* Terms of the series over a step in which half a transition is expected: what is cut off lies below 1e-60, so that a
 * loss which takes a dozen transitions is in the series too. */
enum { SERIES_TERMS = 40 };
static const double STEP_TRANSITIONS = 0.5;

static size_t table_bytes(uint32_t rows)
{
    return (size_t)rows * rows * sizeof(double);
}

int chain_create(struct chain *chain, struct heap *heap, uint32_t states)
{
    invariant(states > 0, "a chain has at least one state");
    *chain = (struct chain){.heap = heap, .states = states};
    chain->rates = heap_alloc_zero(heap, table_bytes(states));
    chain->leave = heap_alloc_zero(heap, states * sizeof(double));
    if (chain->rates != NULL && chain->leave != NULL)
        return OK;
    chain_destroy(chain);
    return ERROR_NO_MEMORY;
}

void chain_destroy(struct chain *chain)
{
    heap_free(chain->heap, chain->rates);
    heap_free(chain->heap, chain->leave);
    chain->rates = chain->leave = NULL;
}

void chain_add(struct chain *chain, uint32_t from, uint32_t to, double rate)
{
    invariant(from < chain->states && to < chain->states && from != to && rate >= 0, "a rate leads to another state");
    chain->rates[(size_t)from * chain->states + to] += rate;
}

void chain_add_leave(struct chain *chain, uint32_t from, double rate)
{
    invariant(from < chain->states && rate >= 0, "a rate leads out of a state");
    chain->leave[from] += rate;
}

/* ---- state reduction ---- */

/* A chain whose states are taken out one after the other, the last first. */
struct reduction {
    uint32_t states;
    double *rates, *leave;
    double *time; /* a visit's, with those to the states that were taken out */
    double *out;  /* of each state when it was taken out: all its rates together */
};

static void reduction_end(struct reduction *reduction, struct heap *heap)
{
    heap_free(heap, reduction->rates);
    heap_free(heap, reduction->leave);
    heap_free(heap, reduction->time);
    heap_free(heap, reduction->out);
}

static int reduction_begin(struct reduction *reduction, const struct chain *chain)
{
    size_t row = chain->states * sizeof(double);
    *reduction = (struct reduction){
        .states = chain->states,
        .rates = heap_alloc(chain->heap, table_bytes(chain->states)),
        .leave = heap_alloc_zero(chain->heap, row),
        .time = heap_alloc_zero(chain->heap, row),
        .out = heap_alloc_zero(chain->heap, row),
    };
    if (reduction->rates == NULL || reduction->leave == NULL || reduction->time == NULL || reduction->out == NULL) {
        reduction_end(reduction, chain->heap);
        return ERROR_NO_MEMORY;
    }
    memcpy(reduction->rates, chain->rates, table_bytes(chain->states));
    return OK;
}

/* Takes a state out: who would have gone there goes where it leads, and bears the time that it takes. */
static int reduce(struct reduction *reduction, uint32_t gone)
{
    size_t n = reduction->states;
    const double *from_gone = reduction->rates + gone * n;
    double out = reduction->leave[gone];
    for (uint32_t to = 0; to < gone; to++)
        out += from_gone[to];
    reduction->out[gone] = out;
    if (!(out > 0))
        return ERROR_INVALID;
    for (uint32_t from = 0; from < gone; from++) {
        double *row = reduction->rates + from * n;
        double share = row[gone] / out;
        if (share == 0)
            continue;
        for (uint32_t to = 0; to < gone; to++)
            if (to != from)
                row[to] += share * from_gone[to];
        reduction->leave[from] += share * reduction->leave[gone];
        reduction->time[from] += share * reduction->time[gone];
    }
    return OK;
}

int chain_stationary(const struct chain *chain, double *share)
{
    struct reduction reduction;
    int error = reduction_begin(&reduction, chain);
    if (error != OK)
        return error;
    for (uint32_t gone = chain->states - 1; gone > 0 && error == OK; gone--)
        error = reduce(&reduction, gone);
    double sum = share[0] = 1;
    for (uint32_t at = 1; at < chain->states && error == OK; at++) {
        double into = 0;
        for (uint32_t from = 0; from < at; from++)
            into += share[from] * reduction.rates[(size_t)from * chain->states + at];
        share[at] = into / reduction.out[at];
        sum += share[at];
    }
    for (uint32_t at = 0; at < chain->states && error == OK; at++)
        share[at] /= sum;
    reduction_end(&reduction, chain->heap);
    return error;
}

int chain_mean_time(const struct chain *chain, double *seconds)
{
    struct reduction reduction;
    int error = reduction_begin(&reduction, chain);
    if (error != OK)
        return error;
    memcpy(reduction.leave, chain->leave, chain->states * sizeof(double));
    /* Rates, not probabilities, lead into a state: the time that goes with them is one per unit of rate. */
    for (uint32_t at = 0; at < chain->states; at++)
        reduction.time[at] = 1;
    for (uint32_t gone = chain->states; gone-- > 0 && error == OK;)
        error = reduce(&reduction, gone);
    for (uint32_t at = 0; at < chain->states && error == OK; at++) {
        double sum = reduction.time[at];
        for (uint32_t to = 0; to < at; to++)
            sum += reduction.rates[(size_t)at * chain->states + to] * seconds[to];
        seconds[at] = sum / reduction.out[at];
    }
    reduction_end(&reduction, chain->heap);
    return error;
}

/* ---- uniformisation ---- */

/* Square tables of probabilities, one row more than states: the last is having left. */
struct tables {
    uint32_t rows;
    double *jump, *power, *product, *step;
};

static void tables_end(struct tables *tables, struct heap *heap)
{
    heap_free(heap, tables->jump);
    heap_free(heap, tables->power);
    heap_free(heap, tables->product);
    heap_free(heap, tables->step);
}

static int tables_begin(struct tables *tables, struct heap *heap, uint32_t rows)
{
    size_t bytes = table_bytes(rows);
    *tables = (struct tables){rows, heap_alloc_zero(heap, bytes), heap_alloc_zero(heap, bytes),
                              heap_alloc_zero(heap, bytes), heap_alloc_zero(heap, bytes)};
    if (tables->jump != NULL && tables->power != NULL && tables->product != NULL && tables->step != NULL)
        return OK;
    tables_end(tables, heap);
    return ERROR_NO_MEMORY;
}

static void multiply(double *out, const double *left, const double *right, size_t rows)
{
    memset(out, 0, rows * rows * sizeof *out);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < rows; k++) {
            double factor = left[i * rows + k];
            if (factor == 0)
                continue;
            for (size_t j = 0; j < rows; j++)
                out[i * rows + j] += factor * right[k * rows + j];
        }
}

static void swap(double **a, double **b)
{
    double *kept = *a;
    *a = *b;
    *b = kept;
}

/* Rows are probabilities: their sums are kept at 1, else rounding would double with each squaring. */
static void normalise(double *table, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < rows; j++)
            sum += table[i * rows + j];
        for (size_t j = 0; j < rows; j++)
            table[i * rows + j] /= sum;
    }
}

static double fastest_exit(const struct chain *chain)
{
    double fastest = 0;
    for (uint32_t from = 0; from < chain->states; from++) {
        double out = chain->leave[from];
        for (uint32_t to = 0; to < chain->states; to++)
            out += chain->rates[(size_t)from * chain->states + to];
        fastest = out > fastest ? out : fastest;
    }
    return fastest;
}

/* One transition of the chain when every state is left at the pace of the fastest, to itself if need be. The diagonal
 * is the one difference that is taken, and only of numbers that do not cancel: the pace is twice the fastest. */
static void fill_jump(struct tables *tables, const struct chain *chain, double pace)
{
    size_t rows = tables->rows, states = chain->states;
    for (size_t from = 0; from < states; from++) {
        double out = chain->leave[from] / pace;
        tables->jump[from * rows + states] = out;
        for (size_t to = 0; to < states; to++) {
            double share = chain->rates[from * states + to] / pace;
            tables->jump[from * rows + to] = share;
            out += share;
        }
        tables->jump[from * rows + from] = 1 - out;
    }
    tables->jump[rows * rows - 1] = 1;
}

/* What happens in a step in which `mean` transitions are expected: the powers of one jump, weighted as Poisson says. */
static void fill_step(struct tables *tables, double mean)
{
    size_t rows = tables->rows, cells = rows * rows;
    double weight = 1;
    for (size_t i = 0; i < rows; i++)
        tables->power[i * rows + i] = tables->step[i * rows + i] = 1;
    for (int term = 1; term < SERIES_TERMS; term++) {
        weight *= mean / term;
        multiply(tables->product, tables->power, tables->jump, rows);
        swap(&tables->product, &tables->power);
        for (size_t i = 0; i < cells; i++)
            tables->step[i] += weight * tables->power[i];
    }
    normalise(tables->step, rows);
}

int chain_left_within(const struct chain *chain, uint32_t start, double seconds, double *probability)
{
    invariant(start < chain->states && seconds >= 0, "a chain begins in one of its states");
    struct tables tables;
    double pace = 2 * fastest_exit(chain), mean = pace * seconds;
    *probability = 0;
    if (!(mean > 0))
        return OK;
    int error = tables_begin(&tables, chain->heap, chain->states + 1);
    if (error != OK)
        return error;
    int doublings = 0;
    while (mean > STEP_TRANSITIONS) {
        mean /= 2;
        doublings++;
    }
    fill_jump(&tables, chain, pace);
    fill_step(&tables, mean);
    for (int i = 0; i < doublings; i++) {
        multiply(tables.product, tables.step, tables.step, tables.rows);
        swap(&tables.product, &tables.step);
        normalise(tables.step, tables.rows);
    }
    *probability = tables.step[(size_t)start * tables.rows + chain->states];
    tables_end(&tables, chain->heap);
    return OK;
}
