//! What was left behind and what was taken away: what looks different and stays so (to come).
