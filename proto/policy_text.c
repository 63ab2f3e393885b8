/* policy_text.c - the policy that a branch starts with: every key, its default and what it is for.
 */
#include "policy.h"

#include "buf.h"

/* One string per section, in the order of the text. */
static const char *const sections[] = {
    "[scan]\n"
    "# Letters and digits, [0-9] classes, {13} and {6,8} repeats; the whole barcode must match.\n"
    "user_pattern = 2[0-9]{13}\n"
    "item_pattern = 3[0-9]{13}\n"
    "# mod10, as on 14-digit library barcodes, or none; where cards and items differ, for each.\n"
    "check_digit = mod10\n"
    "#user_check_digit = mod10\n"
    "#item_check_digit = mod10\n"
    "# Things without a barcode that may be lent, by kind: small letters and digits.\n"
    "#no_barcode_kinds = paperback, magazine\n"
    "\n"
    "[noncat]\n"
    "# For the format evergreen: number of its own type for each kind; others go by hand.\n"
    "#paperback = 3\n"
    "\n",

    "[due]\n"
    "# When an item is due if the desk gives no date: by how its number begins, or by its kind if\n"
    "# it has no barcode, else the default.\n"
    "# blank: the library system decides, and the slip has no date.\n"
    "default = blank\n"
    "#3999 = 21d\n"
    "#paperback = 28d\n"
    "# Buttons of the page and their control codes, in days.\n"
    "presets = 7, 14, 21, 28\n"
    "\n",

    "[closed]\n"
    "# Due dates fall on the next open day. A day without a year is closed every year.\n"
    "#weekdays = sun\n"
    "#12-25 = Christmas Day\n"
    "#2026-11-27 = Day after Thanksgiving\n"
    "\n",

    "[merge]\n"
    "# The same scan again within this time is one event: at one desk, at two desks.\n"
    "double_scan = 5s\n"
    "same_event = 60s\n"
    "# hold: discharges are not sent but listed for HOLD-CHECK; export: they are sent.\n"
    "discharges = hold\n"
    "\n",

    "[server]\n"
    "# How to see whether the library system answers: tcp:HOST:PORT, http(s)://.., "
    "evergreen:https://HOST,\n"
    "# koha:https://HOST, sip2s://HOST:PORT (logs in as [sip2] says), or none. tcp: sees a\n"
    "# connection, the others an answer.\n"
    "probe = none\n"
    "# Tried before OFFLINE is declared.\n"
    "backup = none\n"
    "# Text that must stand in the page of a http(s):// probe; how often to look: 5s, of\n"
    "# sip2: 30s.\n"
    "# expect = Welcome\n"
    "# every = 5s\n"
    "# So many checks in a row failed, or succeeded, before anything is said.\n"
    "offline_after = 3\n"
    "back_after = 5\n"
    "\n",

    "[upload]\n"
    "# file:DIR (files stay), drop:DESK:DIR (at that desk; a loader takes them away),\n"
    "# sftp://USER@HOST/DIR (files stay), https://HOST/DIR/ (a lead decides in doubt),\n"
    "# put:https://.. (the server never overwrites, and gives files back), key:https://.. (it "
    "keeps\n"
    "# Idempotency-Keys for ever), or none: not chosen yet. DIR is absolute.\n"
    "# Told record by record: sip2s://HOST:PORT, koha:https://HOST, koha-plugin:https://HOST,\n"
    "# evergreen:https://HOST; they need the format of that name (both of Koha: koha).\n"
    "sink = none\n"
    "# symphony, alma, aleph, sierra, destiny, sip2, evergreen, koha, koha-json, csv or ndjson.\n"
    "format = symphony\n"
    "# How to come to a sink over the network. credential: the name of a secret that is set on "
    "each\n"
    "# desk (tideover credential set). ca: the same, for certificates of your own. sftp: needs "
    "the\n"
    "# server's host key, as ssh-keygen -lf prints it.\n"
    "#credential = upload\n"
    "#ca = consortium\n"
    "#host_key_sha256 = SHA256:...\n"
    "#proxy = http://proxy.example.org:3128\n"
    "# yes: a sink without TLS (http://, sip2://) may be on another PC.\n"
    "#insecure = no\n"
    "# How long a desk that takes over the upload waits before its first look.\n"
    "# Default: as the sink needs it (30s for most).\n"
    "# quiet = 30s\n"
    "# When the library's system loads what lies there, for the reports.\n"
    "#load_at = 20:00\n"
    "\n",

    "[keep]\n"
    "# So many days after an upload was confirmed (by a lead, or by a second desk that looked) "
    "its\n"
    "# records are erased on every desk; what is held or open stays. Unconfirmed ones: never, or\n"
    "# after so many days.\n"
    "after_upload = 30\n"
    "unconfirmed = never\n"
    "# Reports of practice, with names of staff: so many days.\n"
    "practice = 1\n"
    "\n",

    "[clock]\n"
    "# A desk whose clock is further off than this against the others says so.\n"
    "warn = 5s\n"
    "\n",

    "[blocklist]\n"
    "# Who may import the list of blocked users: desk (any desk), or lead (a lead's or an "
    "admin's).\n"
    "import = desk\n"
    "# May a lead with the passphrase let a blocked user borrow? no, or lead.\n"
    "override = no\n"
    "# The list is older than this: every desk says so.\n"
    "warn_after = 7d\n"
    "\n",

    "[symphony]\n"
    "# SirsiDynix has not published the bytes of its offline log: compare with a file of yours.\n"
    "# library: default is the branch's code; staff_login: default is the library's name and "
    "CIRC.\n"
    "#library = MAIN\n"
    "#staff_login = MAINCIRC\n"
    "user_access = OFFLINE\n"
    "# What a desk's session may choose instead, in lists.\n"
    "#other_libraries = BUS, KIDS\n"
    "#other_user_accesses = OFFLINE2\n"
    "#other_stations = 43, 44\n"
    "clearance = NONE\n"
    "client = 3\n"
    "# E or none; yes or no; lf or crlf.\n"
    "header = E\n"
    "trailer = yes\n"
    "eol = lf\n"
    "# CF or WH; the time is left away if empty.\n"
    "due_code = CF\n"
    "due_time = 23:59\n"
    "# flat: a user file beside the log; jy: in the log, without addresses; none: by hand.\n"
    "registration = flat\n"
    "user_profile = ADULT\n"
    "user_language = ENGLISH\n"
    "user_environment = PUBLIC\n"
    "user_hist_rule = CIRCRULE\n"
    "# Of the user file: your site's own tags in addresses, and the clearance if it needs one.\n"
    "#street_tag = STREET\n"
    "#city_tag = CITY/STATE\n"
    "#postcode_tag = ZIP\n"
    "#phone_tag = PHONE\n"
    "#email_tag = EMAIL\n"
    "#user_clearance = NONE\n"
    "# A new card is good for so many years; 0: for ever.\n"
    "user_years = 2\n"
    "# Only for sinks drop:DESK:DIR: the one name that a loader looks for, as standlog.901 or, in\n"
    "# WorkFlows' own LOG folder, the library's. It is given only while no such file lies there.\n"
    "#file_name = standlog.901\n"
    "# yes: the PIN leaves in clear text.\n"
    "write_pin = no\n"
    "# yes once you compared a file of ours with one that WorkFlows wrote at your site.\n"
    "verified = no\n"
    "# For a desk that is not named below; 0: its records are not sent.\n"
    "default_station = 0\n"
    "\n",

    "[evergreen]\n"
    "# For the format evergreen. xacts: new cards go with the transactions; none: by hand.\n"
    "registration = xacts\n"
    "# Numbers of Evergreen's own tables, and the country of every address: needed for new cards.\n"
    "#profile = 2\n"
    "#home_ou = 4\n"
    "#ident_type = 3\n"
    "#country = US\n"
    "# yes: the PIN leaves in clear text, and becomes the password.\n"
    "write_pin = no\n"
    "# For the sink evergreen:https://HOST. org: number of the org unit; the user may stand here "
    "or "
    "in\n"
    "# the credential's file NAME.user. So long without progress, and its script counts as dead.\n"
    "#org = 4\n"
    "#user = tideover\n"
    "#workstation = MAIN-tideover\n"
    "patience = 10m\n"
    "\n",

    "[koha]\n"
    "# For the sinks koha:https://HOST and koha-plugin:https://HOST. branchcode: default is the\n"
    "# branch's code; the user may stand here or in the credential's file NAME.user.\n"
    "#branchcode = MAIN\n"
    "#user = tideover\n"
    "# yes: rows wait for Koha's staff; no: they are booked at once.\n"
    "pending = yes\n"
    "# utc, or local for servers that store the time as it stands; basic, or oauth (of the "
    "plugin).\n"
    "service_time = utc\n"
    "login = basic\n"
    "\n",

    "[profiles]\n"
    "# Number of Evergreen's permission group for each type of card; for others: profile above.\n"
    "#CHILD = 5\n"
    "\n",

    "[csv]\n"
    "# yes: the PIN of a new card leaves in clear text.\n"
    "write_pin = no\n"
    "\n",

    "[ndjson]\n"
    "write_pin = no\n"
    "\n",

    "[stations]\n"
    "# Number of the Symphony station, 1 to 9999, for each desk:\n"
    "#MAIN-1 = 42\n"
    "\n",

    "[sip2]\n"
    "# For the format and the sinks sip2. institution (AO): default is the branch's code; "
    "location\n"
    "# (AP and CP): the system's own code of this branch, or empty.\n"
    "#institution = MAIN\n"
    "location =\n"
    "# login = no: the server wants none. The user may stand here or in the credential's file\n"
    "# NAME.user; the password is in NAME.password.\n"
    "login = yes\n"
    "#user = tideover\n"
    "# Of the messages, three digits: 001 is English, 000 unknown.\n"
    "language = 000\n"
    "# An item that the server knows: asked for before anything is sent.\n"
    "#canary = 39999000005015\n"
    "# yes: tell the server that it happened already and is not to be refused.\n"
    "no_block = yes\n"
    "# yes: a checkout that is refused for a fee is sent once more with the fee acknowledged.\n"
    "fee_ack = no\n"
    "# Do patrons' lists of loans name barcodes? `tideover server test` tells.\n"
    "au_usable = auto\n"
    "\n",

    "# Only for format = alma. renewals: loan (a renewal is written as a loan to the same user) "
    "or\n"
    "# none (left to people).\n"
    "#[alma]\n"
    "#renewals = loan\n"
    "\n",

    "# Only for format = aleph. item_width: characters of an item's field. verified: yes once you\n"
    "# compared a file of ours with one that your site's client wrote.\n"
    "#[aleph]\n"
    "#renewals = loan\n"
    "#item_width = 80\n"
    "#verified = no\n"
    "\n",

    "# Only for format = sierra: a loan needs a due date. due_days: where the desk gave none. eol: "
    "lf\n"
    "# or crlf. default_group: for a desk that [groups] does not name; 0: its records are not "
    "sent.\n"
    "#[sierra]\n"
    "#due_days = 21\n"
    "#due_time = 23:59\n"
    "#eol = lf\n"
    "#default_group = 0\n"
    "\n",

    "# Sierra's statistics group of each desk, 1 to 9999:\n"
    "#[groups]\n"
    "#MAIN-1 = 104\n"
    "\n",

    "# Only for format = destiny. eol: crlf or lf.\n"
    "#[destiny]\n"
    "#eol = crlf\n",
};

void policy_default_text(const char *code, const char *zone_name, const char *zone_rule,
                         struct buf *out)
{
    buf_printf(out,
               "# Policy of the branch: what decides what is sent, the same on every desk.\n"
               "# Publish changes with: tideover policy publish FILE\n"
               "\n"
               "[policy]\n"
               "# Number of the merge rules.\n"
               "rules = %d\n"
               "\n"
               "[branch]\n"
               "code = %s\n"
               "# The library's local time, by name for people and as a POSIX TZ rule.\n"
               "zone = %s\n"
               "zone_rule = %s\n"
               "\n",
               POLICY_RULES, code, zone_name, zone_rule);
    for (unsigned i = 0; i < sizeof sections / sizeof sections[0]; i++)
        buf_text(out, sections[i]);
    buf_add(out, "", 1); /* the NUL */
    if (!out->failed)
        out->len--;
}
