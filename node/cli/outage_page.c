/* outage_page.c - `tideover help outage`: the one page that hangs beside each desk. */
#include "cli_int.h"

void help_outage(FILE *to)
{
    fputs("WHEN THE LIBRARY SYSTEM IS DOWN                                        (one page, to print)\n"
          "\n"
          "At the desk\n"
          "  1  Open the desk page: tideover open desk. The bar on top says OFFLINE, in amber.\n"
          "  2  Scan the user's card, then each item. One high tone: it is saved. No Save button.\n"
          "  3  Two low tones: read the sentence on the screen. Nothing was saved yet; F10 keeps it,\n"
          "     F9 leaves it. Three low tones: it was not taken; the sentence says why.\n"
          "     The whole page red: STOP. Write on paper: time, card, item.\n"
          "  4  F9 takes back the last one. F2 checkout, F3 discharge, F4 renew, F6 new user, F8 slip.\n"
          "  5  Returned items go on the HOLD-CHECK shelf, not back into circulation.\n"
          "  6  A new user: F6, the card's number and the form. The card works at every desk at once.\n"
          "  7  Two ticks at a row: another desk has it, too. One tick for long: tell the lead.\n"
          "\n"
          "Do not\n"
          "  -  use the library system's own offline mode beside this one: things would go up twice\n"
          "  -  switch the PC off for good before the lead says that all is uploaded\n"
          "  -  change the PC's clock\n"
          "\n"
          "When the system is back\n"
          "  8  The bar says SERVER BACK. Go on here, not in the library system, until the lead says so.\n"
          "  9  The lead: tideover open lead. Look at 2 Desks (is all here?) and 3 Review (decide), then\n"
          "     UPLOAD. Or by hand: tideover upload plan, tideover conflicts list, tideover upload run.\n"
          " 10  When it says UPLOADED: desks may work in the library system again.\n"
          " 11  Lead: tideover upload exceptions (each with its next step), tideover worklist (the\n"
          "     HOLD-CHECK shelf), tideover report for the director.\n"
          "\n"
          "If\n"
          "  a desk's network is dead   it goes on recording; tideover bundle export FILE, on a stick\n"
          "  a desk is broken           what other desks hold is not lost; ask the admin to revoke it\n"
          "  paper was used             tideover record .. --at \"2026-11-23 09:12\", as it was written\n"
          "  too few desks answer       tideover upload override --plan: a lead decides\n",
          to);
}
