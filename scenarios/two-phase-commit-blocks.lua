-- The coordinator dies when every participant has promised. Who is READY may neither commit nor abort by itself, and
-- the others know no more: all are blocked until the coordinator is back, whose log says what it decided. Skeen
-- 1981; Bernstein, Hadzilacos and Goodman 1987, 7.4.
scenario "the coordinator crashes with all participants READY: they block, and its log decides"

-- decided: did the coordinator store COMMIT before it died?
local function story(decided, balance)
    group { protocol = "two-phase-commit", nodes = 3 }
    wait "100ms"
    ask("P1", "OPEN anna 100"):answers "OK"

    lose "P1 sends GLOBAL_COMMIT with sequence=2"
    ask("P1", "OPEN bert 7")
    wait { "P2 enters READY with value=2", "P3 enters READY with value=2" }
    if decided then
        wait "P1 enters coordinator: COMMIT with value=2"
        wait "10ms"
    end
    crash("P1")

    wait {
        "P2 notes blocked: asks for the decision with value=2",
        "P3 notes blocked: asks for the decision with value=2",
    }
    expect "P2 has from1=READY(2) blocked=yes"
    expect "P3 has from1=READY(2) blocked=yes"
    ask("P2", "TOTAL"):answers "100"

    heal()
    restart("P1")
    local state = decided and "COMMIT" or "ABORT"
    wait { "P2 enters " .. state .. " with value=2", "P3 enters " .. state .. " with value=2" }
    ask("P2", "TOTAL"):answers(balance)
    ask("P3", "TOTAL"):answers(balance)
end

story(false, "100")
story(true, "107")
