/* deeds.h - what the rows of verbs.c do, each in the file of its subject. */
#ifndef TIDEOVER_SIM_DEEDS_H
#define TIDEOVER_SIM_DEEDS_H

#include "sim.h"

/* people.c */
void deed_scan(struct sim *s, const struct args *a);
void deed_traffic(struct sim *s, const struct args *a);
void deed_press(struct sim *s, const struct args *a);
void deed_pause(struct sim *s, const struct args *a);
void deed_resume(struct sim *s, const struct args *a);

/* sticks.c */
void deed_stick(struct sim *s, const struct args *a);
void deed_plug(struct sim *s, const struct args *a);

/* figures.c */
void deed_figures(struct sim *s, const struct args *a);

/* condition.c */
void deed_condition(struct sim *s, const struct args *a);

/* loaded.c */
void deed_loaded(struct sim *s, const struct args *a);

/* check_blocklist.c */
void deed_blocklist(struct sim *s, const struct args *a);

/* check_erase.c */
void deed_confirm(struct sim *s, const struct args *a);
void deed_done(struct sim *s, const struct args *a);
void deed_release(struct sim *s, const struct args *a);
void deed_cards(struct sim *s, const struct args *a);
void deed_rule(struct sim *s, const struct args *a);
bool check_erased_at(const struct sim *s, int desk);

/* overrides.c */
void deed_override(struct sim *s, const struct args *a);

/* troubles.c */
void deed_crash(struct sim *s, const struct args *a);
void deed_die(struct sim *s, const struct args *a);
void deed_off(struct sim *s, const struct args *a);
void deed_on(struct sim *s, const struct args *a);
void deed_crashes(struct sim *s, const struct args *a);
void deed_freeze(struct sim *s, const struct args *a);
void deed_slow(struct sim *s, const struct args *a);
void deed_clock(struct sim *s, const struct args *a);
void deed_server(struct sim *s, const struct args *a);
void deed_heal(struct sim *s, const struct args *a);
void deed_end(struct sim *s, const struct args *a);

/* disks.c */
void deed_wipe(struct sim *s, const struct args *a);
void deed_image(struct sim *s, const struct args *a);
void deed_restore(struct sim *s, const struct args *a);
void deed_lose(struct sim *s, const struct args *a);

/* regain.c */
void deed_regain(struct sim *s, const struct args *a);

/* members.c */
void deed_join(struct sim *s, const struct args *a);
void deed_revoke(struct sim *s, const struct args *a);

/* leads.c */
void deed_rename(struct sim *s, const struct args *a);
void deed_policy(struct sim *s, const struct args *a);
void deed_lead(struct sim *s, const struct args *a);

/* forger.c */
void deed_forge(struct sim *s, const struct args *a);

/* newer.c */
void deed_newer(struct sim *s, const struct args *a);

/* net.c */
void deed_network(struct sim *s, const struct args *a);
void deed_cut(struct sim *s, const struct args *a);
void deed_deaf(struct sim *s, const struct args *a);
void deed_alone(struct sim *s, const struct args *a);
void deed_split(struct sim *s, const struct args *a);
void deed_tangle(struct sim *s, const struct args *a);
void deed_whole(struct sim *s, const struct args *a);

/* liar.c */
void deed_lie(struct sim *s, const struct args *a);
void deed_alter(struct sim *s, const struct args *a);
void deed_clone(struct sim *s, const struct args *a);
/* steps.c */
void deed_decide(struct sim *s, const struct args *a);
void deed_loader(struct sim *s, const struct args *a);

/* session.c */
void deed_child(struct sim *s, const struct args *a);

/* sink.c */
void deed_sink(struct sim *s, const struct args *a);

#endif
