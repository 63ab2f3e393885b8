/* table.c - one table of all verbs: it parses, helps, and suggests. */
#include "cli_int.h"

#include <string.h>

#include "ini_int.h"

#define NEAR  2
#define WIDTH 92 /* of a usage line, with room for "Usage: " in front */

/* As format.c has them; a test compares. */
#define FORMATS                                                                                    \
    "symphony, ldflat, alma, aleph, sierra, destiny,\n"                                            \
    "                              sip2, evergreen, koha, koha-json, csv or ndjson"
#define FORMAT_WORDS                                                                               \
    "symphony ldflat alma aleph sierra destiny sip2 evergreen koha koha-json csv ndjson"

static const struct option_row options[OPT_COUNT] = {
    [OPT_STATE] = { "state", "DIR", "the desk's state directory (else TIDEOVER_STATE)" },
    [OPT_JSON] = { "json", NULL, "answer in JSON" },
    [OPT_QUIET] = { "quiet", NULL, "results and errors only" },
    [OPT_NO_COLOR] = { "no-color", NULL, "no colours on a terminal" },
    [OPT_HELP] = { "help", NULL, "this text" },
    [OPT_VERSION] = { "version", NULL, "the program's version" },
    [OPT_HTML] = { "html", "FILE", "as one page for a browser or a printer, in this new file" },
    [OPT_LOAN] = { "loan", NULL, "lend an item to a user and take it back: asks for both" },
    [OPT_TO] = { "to", "N", "number of the last record that is to count" },
    [OPT_HISTORY] = { "history", "H", "which history of a forked feed, else the one that is here" },
    [OPT_BRANCH] = { "branch", "CODE", "the branch's code: A-Z, 0-9, _ and -, 15 at most" },
    [OPT_DESK] = { "desk", "NAME", "the desk's name, as on slips and lists" },
    [OPT_LISTEN] = { "listen", "ADDR:PORT", "where other desks reach it (0.0.0.0:7411)" },
    [OPT_WEB] = { "web", "ADDR:PORT", "its local page and API (127.0.0.1:7412)" },
    [OPT_POLICY] = { "policy", "FILE", "the branch's policy; else a default one" },
    [OPT_PASSPHRASE] = { "lead-passphrase-file", "F", "the lead's passphrase: first line of F" },
    [OPT_ROLE] = { "role", "ROLE", "desk (default), lead or admin", "desk lead admin" },
    [OPT_EXPIRES] = { "expires", "TIME", "how long the code is good: 30m (default), 2h" },
    [OPT_AT_ADDRESS] = { "at", "ADDR:PORT", "where the inviting desk answers, if not as coded" },
    [OPT_USER] = { "user", "U", "the user's number" },
    [OPT_ITEM] = { "item", "I", "the item's number" },
    [OPT_DUE] = { "due", "YYYY-MM-DD",
                  "due date, or none: the server decides; left out: the policy's rule" },
    [OPT_AT] = { "at", "TIME", "from paper: 09:12, or \"2026-11-23 09:12\", the library's time" },
    [OPT_FIRST] = { "first", "NAME", "given name" },
    [OPT_LAST] = { "last", "NAME", "family name" },
    [OPT_BIRTH] = { "birth", "YYYY-MM-DD", "birth date" },
    [OPT_PHONE] = { "phone", "TEXT", "phone number" },
    [OPT_EMAIL] = { "email", "TEXT", "e-mail address" },
    [OPT_STREET] = { "street", "TEXT", "street and number" },
    [OPT_CITY] = { "city", "TEXT", "town" },
    [OPT_POSTCODE] = { "postcode", "TEXT", "post code" },
    [OPT_TYPE] = { "type", "TEXT", "user type of the ILS" },
    [OPT_LIBRARY] = { "library", "CODE", "upload as this library; \"\": the policy's" },
    [OPT_USER_ACCESS] = { "user-access", "NAME",
                          "upload with this user access; \"\": the policy's" },
    [OPT_BLOCK_LIST] = { "block-list", "on|off", "ask the block list? off: until midnight",
                         "on off" },
    [OPT_KIND] = { "kind", "KIND", "of things without a barcode: one of the policy's kinds" },
    [OPT_PIECES] = { "count", "N", "how many of them, 1 (default) to 99" },
    [OPT_LABEL] = { "label", "TEXT", "what they are, in a few words" },
    [OPT_BATCH] = { "batch", "FILE|-", "one JSON object per line; - is standard input" },
    [OPT_OVERRIDE] = { "override", NULL, "a lead lets a blocked user borrow, if the policy does" },
    [OPT_DATE] = { "date", "TIME", "when the system made the list; else the file's time" },
    [OPT_LIST_FORMAT] = { "format", "F", "plain (default), symphony or evergreen",
                          "plain symphony evergreen" },
    [OPT_KEEP] = { "keep", NULL, "record it, though the branch did something just now" },
    [OPT_FULL] = { "full", NULL, "user numbers in full" },
    [OPT_YES] = { "yes", NULL, "do not ask" },
    [OPT_SLOT] = { "slot", "N", "of this upload; where it may be left out, the last" },
    [OPT_NEW_PASSPHRASE] = { "new-passphrase-file", "N",
                             "the new passphrase: first line of N; six words if N is not there" },
    [OPT_ROOT_KEY] = { "root-key-file", "R", "the branch's root key: its backup file" },
    [OPT_BACKUP_PASSPHRASE] = { "backup-passphrase-file", "B",
                                "its own passphrase: first line of B; six words if B is not "
                                "there" },
    [OPT_DROP_OTHERS] = { "drop-others", NULL, "all other lead keys end" },
    [OPT_LAST_OP] = { "last", "OP", "its last operation that counts; else the newest known here" },
    [OPT_ARRIVED] = { "arrived", "yes|no", "whether the file in doubt was loaded", "yes no" },
    [OPT_FORMAT] = { "format", "NAME",
                     FORMATS ";\n                              "
                             "ldflat is Symphony's user file alone",
                     FORMAT_WORDS },
    [OPT_REASON] = { "reason", "TEXT", "why, in one line; it stays in the branch's records" },
    [OPT_ASIDE] = { "reason", "WHY",
                    "held, waits, review, late_void, unwritable, behind, by_hand, refused,\n"
                    "                              quarantined, kept_back or in_doubt",
                    "held waits review late_void unwritable behind by_hand refused quarantined "
                    "kept_back in_doubt" },
    [OPT_PLAN] = { "plan", NULL, "say what it would mean; sign nothing" },
    [OPT_ALL] = { "all", NULL, "everything was loaded, but for what FILE refuses" },
    [OPT_CHECK] = { "check", NULL, "look at the file from this desk; no passphrase" },
    [OPT_CSV] = { "csv", NULL, "for a spreadsheet, user numbers in full" },
    [OPT_OUT] = { "out", "FILE", "the file to write (of export also -: standard output)" },
    [OPT_FROM] = { "from", "FORMAT",
                   "the files' format (as --to); else each is recognised by its lines",
                   FORMAT_WORDS },
    [OPT_TO_FORMAT] = { "to", "FORMAT", "the format to write: " FORMATS, FORMAT_WORDS },
    [OPT_ZONE] = { "zone", "NAME", "zone of local times: Europe/Paris; else this PC's" },
    [OPT_STATION] = { "station", "N",
                      "number of a Symphony station (of merge: of lines that name none)" },
    [OPT_TMP] = { "tmp", "DIR", "for temporary files, as large as the input; else beside --out" },
    [OPT_AGAIN] = { "again", NULL, "take a file even if another has the same bytes" },
    [OPT_STAFF] = { "staff", "NAME", "who works at this desk; \"\": nobody" },
    [OPT_TYPED] = { "typed", NULL, "the lines come from a keyboard, not from a scanner" },
    [OPT_WARN_BEHIND] = { "warn-behind", "N", "so many records on this PC only: WARNING (100)" },
    [OPT_CRIT_BEHIND] = { "crit-behind", "N", "so many: CRITICAL (1000)" },
    [OPT_PRINT] = { "print", NULL, "print the address, open nothing" },
    [OPT_FOLLOW] = { "follow", NULL, "go on as they happen, until Ctrl-C" },
    [OPT_SINCE] = { "since", "ID", "only those behind this number" },
    [OPT_PIN_FILE] = { "pin-file", "F", "the PIN: first line of F" },
    [OPT_MEASURE] = { "measure", NULL, "only say how far the files' clocks are apart" },
};

#define REGISTRATION                                                                               \
    OPT_FIRST, OPT_LAST, OPT_BIRTH, OPT_PHONE, OPT_EMAIL, OPT_STREET, OPT_CITY, OPT_POSTCODE,      \
        OPT_TYPE

const struct command commands[] = {
    { "init",
      NULL,
      NULL,
      { OPT_BRANCH, OPT_DESK },
      { OPT_LISTEN, OPT_WEB, OPT_POLICY, OPT_PASSPHRASE },
      "found a branch: this desk is its first",
      "  tideover init --branch MAIN --desk MAIN-1\n"
      "  tideover init --branch MAIN --desk MAIN-1 --policy main.ini --lead-passphrase-file lead\n",
      cmd_init,
      false },
    { "invite",
      NULL,
      NULL,
      { OPT_DESK },
      { OPT_ROLE, OPT_EXPIRES, OPT_PASSPHRASE, OPT_JSON },
      "make a one-time code with which one more desk joins",
      "  tideover invite --desk MAIN-2\n"
      "  tideover invite --desk OFFICE --role lead --expires 2h\n",
      cmd_invite,
      false },
    { "invites",
      "list",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "the codes made at this desk since its node began, and what became of them",
      "  tideover invites list\n",
      cmd_invites_list,
      false },
    { "invites",
      "withdraw",
      "NUMBER",
      { OPT_NONE },
      { OPT_JSON },
      "a code that went to the wrong hands is good no more",
      "  tideover invites withdraw 1\n",
      cmd_invites_withdraw,
      false },
    { "join",
      NULL,
      "CODE",
      { OPT_NONE },
      { OPT_AT_ADDRESS, OPT_LISTEN, OPT_WEB },
      "join the branch that made the code",
      "  tideover join 6Q0V-2W8K-...\n"
      "  tideover --state /srv/kids join 6Q0V-2W8K-... --at 10.20.4.11:7413\n",
      cmd_join,
      false },
    { "revoke",
      NULL,
      "DESK",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_ROOT_KEY, OPT_NEW_PASSPHRASE, OPT_JSON },
      "trust a desk no longer: what it records from now on is set aside",
      "  tideover revoke BUS\n"
      "  tideover revoke OFFICE --root-key-file /media/stick/root-key-backup\n"
      "                                it held the lead key: a new one is made, the old ones end\n",
      cmd_revoke,
      false },
    { "quarantine",
      "list",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "records that count for nothing until a lead admits them",
      "  tideover quarantine list\n",
      cmd_quarantine_list,
      false },
    { "quarantine",
      "admit",
      "FEED",
      { OPT_TO },
      { OPT_HISTORY, OPT_PASSPHRASE, OPT_JSON },
      "let a revoked desk's records, or one history of a forked feed, count",
      "  tideover quarantine admit BUS/3 --to 42\n"
      "  tideover quarantine admit KIDS/7 --to 12 --history 1f03a2b4c5d6e7f8\n",
      cmd_quarantine_admit,
      false },
    { "server",
      "status",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "what the desks see of the library's server, since when, and why",
      "  tideover server status\n",
      cmd_server_status,
      false },
    { "server",
      "online",
      NULL,
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "let the desks work in the library's system before the upload",
      "  tideover server online   when SERVER BACK and the upload has to wait\n",
      cmd_server_online,
      false },
    { "server",
      "test",
      NULL,
      { OPT_NONE },
      { OPT_LOAN, OPT_YES, OPT_JSON },
      "what the SIP2 server really does; --loan: by one loan that is undone",
      "  tideover server test\n"
      "  tideover server test --loan                     asks for an item and a test user\n"
      "  tideover server test --loan --yes < two-lines   item, then user\n",
      cmd_server_test,
      false },
    { "restore-seat",
      NULL,
      "DESK",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "give a desk that lost its memory its vote back",
      "  tideover restore-seat MAIN-1   once it has its records again; only one PC may run as it\n",
      cmd_restore_seat,
      false },
    { "retire",
      NULL,
      "DESK",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "let a desk leave in honour: it records no more, and all it recorded counts",
      "  tideover retire KIDS-1\n",
      cmd_retire,
      false },
    { "rename",
      NULL,
      "DESK NAME",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "call a desk by another name; numbers and stations keep the first one",
      "  tideover rename MAIN-2 CHILDREN\n",
      cmd_rename,
      false },
    { "role",
      NULL,
      "DESK ROLES",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "change what a desk may do: desk, lead, admin, or some with commas",
      "  tideover role OFFICE lead\n"
      "  tideover role OFFICE desk     it gives its copy of the lead key up\n",
      cmd_role,
      false },
    { "key",
      "show",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "which keys this desk has, by name, and when they were last backed up",
      "  tideover key show\n",
      cmd_key_show,
      false },
    { "key",
      "backup",
      "FILE",
      { OPT_NONE },
      { OPT_BACKUP_PASSPHRASE, OPT_JSON },
      "this desk's keys and its place, sealed: as \"tideover backup\"",
      "  tideover key backup /media/stick/main-1.backup     back again: tideover restore\n"
      "  The branch's root key is a file of its own, root-key-backup, made by init.\n",
      cmd_backup,
      false },
    { "backup",
      NULL,
      "FILE",
      { OPT_NONE },
      { OPT_BACKUP_PASSPHRASE, OPT_JSON },
      "write this desk's keys and its place to a sealed file; never records",
      "  tideover backup /media/stick/main-1.backup\n"
      "  Its records are on the other desks; in a file, too: tideover bundle export FILE\n",
      cmd_backup,
      false },
    { "restore",
      NULL,
      "FILE",
      { OPT_NONE },
      { OPT_BACKUP_PASSPHRASE, OPT_LISTEN, OPT_WEB },
      "make this PC the desk of a backup; stop the old PC first",
      "  tideover restore /media/stick/main-1.backup\n"
      "  tideover --state /srv/main-1 restore main-1.backup --backup-passphrase-file B\n",
      cmd_restore,
      false },
    { "passphrase",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_NEW_PASSPHRASE, OPT_JSON },
      "change the lead's passphrase, on every lead desk",
      "  tideover passphrase\n"
      "  tideover passphrase --lead-passphrase-file old --new-passphrase-file new\n",
      cmd_passphrase,
      false },
    { "lead",
      "list",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "the branch's lead keys, and which one is in use",
      "  tideover lead list\n",
      cmd_lead_list,
      false },
    { "lead",
      "new",
      NULL,
      { OPT_ROOT_KEY },
      { OPT_NEW_PASSPHRASE, OPT_DROP_OTHERS, OPT_JSON },
      "make a lead key with the root key; this desk becomes a lead desk",
      "  tideover lead new --root-key-file /media/stick/root-key-backup\n"
      "  tideover lead new --root-key-file root-key-backup --drop-others\n",
      cmd_lead_new,
      false },
    { "lead",
      "drop",
      "KEY",
      { OPT_ROOT_KEY },
      { OPT_LAST_OP, OPT_JSON },
      "end a lost lead key; what it signs after its last operation is void",
      "  tideover lead drop river-candle-seven-north --root-key-file root-key-backup\n"
      "  tideover lead drop river-candle-seven-north --root-key-file R --last 1f03a2b4c5d6e7f8\n",
      cmd_lead_drop,
      false },
    { "roster",
      "log",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "everything that leads signed about the branch, oldest first",
      "  tideover roster log\n",
      cmd_roster_log,
      false },
    { "roster",
      "conflicts",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "what two leads decided apart from each other and a person must look at",
      "  tideover roster conflicts\n",
      cmd_roster_conflicts,
      false },
    { "policy",
      "show",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "print the branch's policy",
      "  tideover policy show > main.ini\n",
      cmd_policy_show,
      false },
    { "policy",
      "publish",
      "FILE",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "sign a policy and give it to every desk",
      "  tideover policy publish main.ini\n",
      cmd_policy_publish,
      false },
    { "blocklist",
      "import",
      "FILE",
      { OPT_NONE },
      { OPT_LIST_FORMAT, OPT_DATE, OPT_JSON },
      "take in the list of blocked users, for every desk",
      "  tideover blocklist import delinq --format symphony\n"
      "  tideover blocklist import list.txt --format evergreen --date 2026-11-23T02:00:00-05:00\n",
      cmd_blocklist_import,
      false },
    { "blocklist",
      "show",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "how old it is, how many stand on it, who imported it; no numbers",
      "  tideover blocklist show\n",
      cmd_blocklist_show,
      false },
    { "blocklist",
      "test",
      NULL,
      { OPT_USER },
      { OPT_JSON },
      "is this user on the list?",
      "  tideover blocklist test --user 29999000001016\n",
      cmd_blocklist_test,
      false },
    { "credential",
      "set",
      "NAME [KIND]",
      { OPT_NONE },
      { OPT_NONE },
      "keep a secret that the sink needs, on this desk; asks, or reads stdin",
      "  tideover credential set upload\n"
      "  tideover credential set ils user; tideover credential set ils password\n"
      "  tideover credential set drop key < id_ed25519\n"
      "  tideover credential set consortium ca < ca.pem\n",
      cmd_credential_set,
      false },
    { "credential",
      "list",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "names of the credentials that this desk has, and whether they can be used",
      "  tideover credential list\n",
      cmd_credential_list,
      false },
    { "node",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_NONE },
      "run the desk's daemon, in the foreground",
      "  tideover --state /var/lib/tideover node\n",
      cmd_node,
      true },
    { "support",
      NULL,
      "FILE",
      { OPT_NONE },
      { OPT_NONE },
      "for whoever helps from afar: state, desks, events; no personal data",
      "  tideover support tideover-support.json\n",
      cmd_support,
      false },
    { "open",
      NULL,
      "[PAGE]",
      { OPT_NONE },
      { OPT_PRINT, OPT_JSON },
      "open the desk's page in a browser; PAGE: desk, lead or admin",
      "  tideover open\n"
      "  tideover open lead --print    its address, good once and for a minute\n",
      cmd_open,
      false },
    { "events",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_FOLLOW, OPT_SINCE, OPT_JSON },
      "what happened to this desk and its branch since its node began",
      "  tideover events --follow\n"
      "  tideover events --since 120 --json\n",
      cmd_events,
      false },
    { "pin",
      "set",
      "PAGE",
      { OPT_NONE },
      { OPT_PIN_FILE, OPT_JSON },
      "the PIN that the lead or the admin page of this desk asks for",
      "  tideover pin set lead\n"
      "  tideover pin set admin --pin-file pin.txt\n",
      cmd_pin_set,
      false },
    { "record",
      "checkout",
      NULL,
      { OPT_USER },
      { OPT_ITEM, OPT_KIND, OPT_PIECES, OPT_LABEL, OPT_DUE, OPT_AT, OPT_OVERRIDE, OPT_PASSPHRASE,
        OPT_KEEP, OPT_JSON },
      "record that a user takes an item, or things without a barcode",
      "  tideover record checkout --user 29999000001016 --item 39999000005015 --due 2026-12-07\n"
      "  tideover record checkout --user 29999000001016 --kind paperback --count 3\n",
      cmd_record,
      false },
    { "record",
      "discharge",
      NULL,
      { OPT_ITEM },
      { OPT_AT, OPT_KEEP, OPT_JSON },
      "record that an item came back",
      "  tideover record discharge --item 39999000005015\n",
      cmd_record,
      false },
    { "record",
      "renew",
      NULL,
      { OPT_USER, OPT_ITEM },
      { OPT_DUE, OPT_AT, OPT_OVERRIDE, OPT_PASSPHRASE, OPT_KEEP, OPT_JSON },
      "record a longer loan",
      "  tideover record renew --user 29999000001016 --item 39999000005015 --due 2026-12-21\n",
      cmd_record,
      false },
    { "record",
      "user",
      NULL,
      { OPT_USER },
      { REGISTRATION, OPT_AT, OPT_KEEP, OPT_JSON },
      "record a new user (other programs can see arguments; --batch - hides them)",
      "  tideover record user --user 29999000001016 --first Ada --last Byron --birth 1990-12-10\n"
      "  tideover record --batch -     and there a line with \"op\":\"user\"\n",
      cmd_record,
      false },
    { "record",
      "inhouse",
      NULL,
      { OPT_ITEM },
      { OPT_AT, OPT_JSON },
      "record that an item was used in the library",
      "  tideover record inhouse --item 39999000005015\n",
      cmd_record,
      false },
    { "record",
      NULL,
      NULL,
      { OPT_BATCH },
      { OPT_JSON },
      "record many: one answer per line, once it is safe; empty lines get none",
      "  tideover record --batch today.ndjson\n"
      "  echo '{\"op\":\"discharge\",\"item\":\"39999000005015\"}' | tideover record --batch -\n",
      cmd_record,
      false },
    { "record",
      "scan",
      NULL,
      { OPT_NONE },
      { OPT_TYPED },
      "what a scanner types, a scan a line: JSON answers, each once it is safe",
      "  tideover record scan < /dev/ttyUSB0\n"
      "  printf '29999000001016\\n39999000005015\\n*NEXT\\n' | tideover record scan\n"
      "  Codes: *CHECKOUT *DISCHARGE *RENEW *INHOUSE *NEWUSER *NEXT *UNDO *OK *CANCEL\n"
      "         *DUE14 (days) *DUENONE *DUERULE *PIECES *PIECEPAPERBACK (any kind)\n",
      cmd_record_scan,
      false },
    { "session",
      "show",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "who works at this desk, the due date, and as what the branch uploads",
      "  tideover session show\n",
      cmd_session_show,
      false },
    { "session",
      "set",
      NULL,
      { OPT_NONE },
      { OPT_STAFF, OPT_DUE, OPT_LIBRARY, OPT_USER_ACCESS, OPT_STATION, OPT_BLOCK_LIST, OPT_JSON },
      "change of staff; today's due date: 2026-12-07, 14d, none, or rule",
      "  tideover session set --staff Ana\n  tideover session set --due 21d\n"
      "  tideover session set --library BUS --station 43    of what the policy allows\n",
      cmd_session_set,
      false },
    { "session",
      "end",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "nobody works here any more; the chosen due date goes too",
      "  tideover session end\n",
      cmd_session_end,
      false },
    { "practice",
      "on",
      NULL,
      { OPT_NONE },
      { OPT_STAFF, OPT_JSON },
      "begin a drill: the desk's own scan box, guided, and nothing is recorded",
      "  tideover practice on --staff Ana\n"
      "  tideover record scan          scans go to the practice until it is over\n",
      cmd_practice_on,
      false },
    { "practice",
      "off",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "end it; by itself it ends after an hour, and when the server goes away",
      "  tideover practice off\n",
      cmd_practice_off,
      false },
    { "practice",
      "reset",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "begin the drill again, from its first step",
      "  tideover practice reset\n",
      cmd_practice_reset,
      false },
    { "practice",
      "report",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "who practised at this desk, when, how long, with how many mistakes",
      "  tideover practice report\n  tideover practice report --json\n",
      cmd_practice_report,
      false },
    { "void",
      NULL,
      "ID",
      { OPT_NONE },
      { OPT_JSON },
      "take one record back",
      "  tideover void MAIN-1/3/0042\n",
      cmd_void,
      false },
    { "status",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "one screen, problems first (the default)",
      "  tideover\n  tideover status --json\n",
      cmd_status,
      false },
    { "watch",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_NONE },
      "the status, drawn again every 2 seconds, until Ctrl-C",
      "  tideover watch\n",
      cmd_watch,
      false },
    { "doctor",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "is this PC fit for an outage? Each finding with its next step",
      "  tideover doctor\n",
      cmd_doctor,
      false },
    { "config",
      "show",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "this PC's settings, and which are defaults",
      "  tideover config show\n",
      cmd_config_show,
      false },
    { "config",
      "check",
      NULL,
      { OPT_NONE },
      { OPT_NONE },
      "is tideover.conf well-formed? names the line and what it may have meant",
      "  tideover config check\n",
      cmd_config_check,
      false },
    { "config",
      "reload",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "the node takes the changed tideover.conf; says what needs a restart",
      "  tideover config reload\n",
      cmd_config_reload,
      false },
    { "config",
      "path",
      NULL,
      { OPT_NONE },
      { OPT_NONE },
      "where tideover.conf lies",
      "  tideover config path\n",
      cmd_config_path,
      false },
    { "check",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_WARN_BEHIND, OPT_CRIT_BEHIND },
      "one line for Nagios: exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN",
      "  tideover check\n"
      "  tideover check --state /var/lib/tideover --warn-behind 20 --crit-behind 200\n",
      cmd_check,
      false },
    { "peers",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "the branch's desks, and what each lacks",
      "  tideover peers\n",
      cmd_peers,
      false },
    { "log",
      "list",
      NULL,
      { OPT_NONE },
      { OPT_FULL, OPT_JSON },
      "all records, merged, in order; with --json one object per line",
      "  tideover log list\n  tideover log list --json | grep 0042\n",
      cmd_log_list,
      false },
    { "log",
      "verify",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "check every chain, signature and seal on this PC",
      "  tideover log verify\n",
      cmd_log_verify,
      false },
    { "upload",
      "plan",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "what an upload would send; sends nothing",
      "  tideover upload plan\n",
      cmd_upload_plan,
      false },
    { "upload",
      "run",
      NULL,
      { OPT_NONE },
      { OPT_YES, OPT_PASSPHRASE, OPT_JSON },
      "send the branch's merged log, and wait until it is delivered",
      "  tideover upload run\n"
      "  tideover upload run --yes --lead-passphrase-file lead\n",
      cmd_upload_run,
      false },
    { "upload",
      "status",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "how far the upload is",
      "  tideover upload status\n",
      cmd_upload_status,
      false },
    { "upload",
      "decide",
      NULL,
      { OPT_SLOT, OPT_ARRIVED },
      { OPT_YES, OPT_PASSPHRASE, OPT_JSON },
      "say, as a lead, whether a file in doubt arrived; ask the server first",
      "  tideover upload decide --slot 3 --arrived yes\n"
      "  tideover upload decide --slot 3 --arrived no --yes --lead-passphrase-file lead\n",
      cmd_upload_decide,
      false },
    { "upload",
      "pause",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "the upload under way waits before its next step, whichever desk sends it",
      "  tideover upload pause\n",
      cmd_upload_pause,
      false },
    { "upload",
      "resume",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "the upload that was paused goes on",
      "  tideover upload resume\n",
      cmd_upload_resume,
      false },
    { "upload",
      "report",
      NULL,
      { OPT_NONE },
      { OPT_SLOT, OPT_JSON },
      "what an upload sent, held back and left out",
      "  tideover upload report\n  tideover upload report --slot 3 --json\n",
      cmd_upload_report,
      false },
    { "upload",
      "override",
      NULL,
      { OPT_NONE },
      { OPT_REASON, OPT_PLAN, OPT_YES, OPT_PASSPHRASE, OPT_JSON },
      "go on without seats that cannot be reached (records may be sent twice)",
      "  tideover upload override --plan\n"
      "  tideover upload override --reason \"OFFICE and MAIN-2 were stolen\"\n",
      cmd_upload_override,
      false },
    { "upload",
      "overlaps",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "records that were sent before and after an override",
      "  tideover upload overlaps\n",
      cmd_upload_overlaps,
      false },
    { "upload",
      "confirm",
      NULL,
      { OPT_NONE },
      { OPT_SLOT, OPT_CHECK, OPT_PASSPHRASE, OPT_JSON },
      "it did arrive: this upload, else the last (nothing is erased before)",
      "  tideover upload confirm                      the last one\n"
      "  tideover upload confirm --slot 3\n"
      "  tideover upload confirm --slot 3 --check     another desk than the sender looks itself\n",
      cmd_upload_confirm,
      false },
    { "upload",
      "loaded",
      "[FILE]",
      { OPT_SLOT },
      { OPT_ALL, OPT_PASSPHRASE, OPT_JSON },
      "what the system's report says of loading an upload: FILE is that list",
      "  tideover upload loaded --slot 3 --all\n"
      "  tideover upload loaded --slot 3 results.csv       MAIN-1/3/0042,refused,user is barred\n"
      "  tideover upload loaded --slot 3 --all 20261123.error    all but what it names\n",
      cmd_upload_loaded,
      false },
    { "upload",
      "unconfirmed",
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "uploads whose load nobody has confirmed yet, and when it is expected",
      "  tideover upload unconfirmed\n",
      cmd_upload_unconfirmed,
      false },
    { "upload",
      "done",
      "[ID...]",
      { OPT_NONE },
      { OPT_SLOT, OPT_PASSPHRASE, OPT_JSON },
      "set-aside records were settled by hand: those named, or all of one upload",
      "  tideover upload done MAIN-1/3/0042 KIDS-1/7/0003\n"
      "  tideover upload done --slot 3\n",
      cmd_upload_done,
      false },
    { "upload",
      "exceptions",
      NULL,
      { OPT_NONE },
      { OPT_SLOT, OPT_CSV, OPT_FULL, OPT_JSON },
      "what the ILS refused or may not have booked, why, and what to do",
      "  tideover upload exceptions\n"
      "  tideover upload exceptions --slot 3 --csv > exceptions.csv\n",
      cmd_upload_exceptions,
      false },
    { "upload",
      "aside",
      NULL,
      { OPT_NONE },
      { OPT_SLOT, OPT_ASIDE, OPT_FULL, OPT_JSON },
      "what uploads set aside and why, with the next step for each",
      "  tideover upload aside\n"
      "  tideover upload aside --reason by_hand --full    new cards to be made, with names\n",
      cmd_upload_aside,
      false },
    { "upload",
      "release",
      "[ID...]",
      { OPT_NONE },
      { OPT_SLOT, OPT_ASIDE, OPT_YES, OPT_FULL, OPT_PASSPHRASE, OPT_JSON },
      "set-aside records go with the next upload, once: some, or all of one",
      "  tideover upload release MAIN-1/3/0042\n"
      "  tideover upload release --slot 3 --reason held\n",
      cmd_upload_release,
      false },
    { "upload",
      "cards",
      NULL,
      { OPT_NONE },
      { OPT_SLOT, OPT_PASSPHRASE, OPT_JSON },
      "the new cards exist in the ILS: what waited for them goes next",
      "  tideover upload cards\n  tideover upload cards --slot 3\n",
      cmd_upload_cards,
      false },
    { "worklist",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_CSV, OPT_JSON },
      "the HOLD-CHECK list: discharges that are held, and what to do with each",
      "  tideover worklist\n"
      "  tideover worklist --csv > hold-check.csv\n",
      cmd_worklist,
      false },
    { "worklist",
      "done",
      "ID...",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "these were discharged in the library's system by hand",
      "  tideover worklist done MAIN-1/3/0042 KIDS-1/7/0003\n",
      cmd_worklist_done,
      false },
    { "conflicts",
      "list",
      NULL,
      { OPT_NONE },
      { OPT_FULL, OPT_JSON },
      "what desks disagree about: both sides, and what goes as things stand",
      "  tideover conflicts list\n",
      cmd_conflicts_list,
      false },
    { "conflicts",
      "send",
      "ID...",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "a lead says: these go whatever the rules say (the server decides)",
      "  tideover conflicts send MAIN-1/3/0042 KIDS-1/7/0003\n",
      cmd_conflicts_send,
      false },
    { "conflicts",
      "void",
      "ID...",
      { OPT_NONE },
      { OPT_PASSPHRASE, OPT_JSON },
      "a lead takes records back, of any desk, until they are uploaded",
      "  tideover conflicts void KIDS-1/7/0003\n",
      cmd_conflicts_void,
      false },
    { "erase",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_JSON },
      "which uploads are erased, which will be when; desks do it by themselves",
      "  tideover erase\n",
      cmd_erase,
      false },
    { "merge",
      NULL,
      "FILE...",
      { OPT_NONE },
      { OPT_FROM, OPT_TO_FORMAT, OPT_OUT, OPT_POLICY, OPT_ZONE, OPT_STATION, OPT_TMP, OPT_AGAIN,
        OPT_MEASURE, OPT_JSON },
      "make one log of files that desks wrote with other tools; needs no node",
      "  tideover merge --from symphony LOG-A LOG-B --to symphony --out MAIN.log\n"
      "  tideover merge standlog.42 desk.koc@+90s --to symphony --station 42 --out MAIN.log\n"
      "                                a clock that was 90 s slow; formats are recognised\n"
      "  tideover merge *.koc --to koha --out all.koc --zone Europe/Paris --json\n"
      "  tideover merge main.koc --to symphony --station 42 --policy main.ini --out MAIN.log\n"
      "                                main.ini: what `tideover policy show` prints\n"
      "  tideover merge LOG-A LOG-B --measure   by how much do their clocks differ?\n"
      "  Beside FILE: FILE.report (what became of each line), FILE.unknown (lines that were not\n"
      "  understood, as they were), FILE.users (new cards, if the format wants them apart; load\n"
      "  it first). Exit code 2: merged, but the report names something to look at.\n",
      cmd_merge,
      false },
    { "export",
      NULL,
      NULL,
      { OPT_FORMAT, OPT_OUT },
      { OPT_JSON },
      "write what is pending to a file; nothing counts as uploaded",
      "  tideover export --format symphony --out main.log\n"
      "  tideover export --format csv --out -\n",
      cmd_export,
      false },
    { "report",
      NULL,
      NULL,
      { OPT_NONE },
      { OPT_SLOT, OPT_HTML, OPT_FULL, OPT_JSON },
      "the outage in one report: when, who, how much, what is unsent",
      "  tideover report\n"
      "  tideover report --slot 3 --html outage.html\n",
      cmd_report,
      false },
    { "bundle",
      "export",
      "FILE",
      { OPT_NONE },
      { OPT_JSON },
      "all that this desk holds, in a file for a stick",
      "  tideover bundle export /media/stick/main-2.bundle\n"
      "  Only desks of the branch can open it. Export again as often as you like.\n",
      cmd_bundle_export,
      false },
    { "bundle",
      "import",
      "FILE...",
      { OPT_NONE },
      { OPT_JSON },
      "take such files in, checked as if they had come over the network",
      "  tideover bundle import /media/stick/*.bundle\n"
      "  The same file twice changes nothing; of a torn one what is whole is taken.\n",
      cmd_bundle_import,
      false },
    { "completion",
      NULL,
      "SHELL",
      { OPT_NONE },
      { OPT_NONE },
      "what the Tab key offers, for bash, zsh or fish",
      "  tideover completion bash > /etc/bash_completion.d/tideover\n"
      "  tideover completion fish > ~/.config/fish/completions/tideover.fish\n",
      cmd_completion,
      false },
    { "manual",
      NULL,
      "[PAGE]",
      { OPT_NONE },
      { OPT_NONE },
      "the manual page tideover, tideover.conf or tideover-policy, for man",
      "  tideover manual | man -l -\n"
      "  tideover manual tideover.conf | man -l -\n",
      cmd_manual,
      false },
    { "help",
      NULL,
      "[VERB] [OBJECT]",
      { OPT_NONE },
      { OPT_NONE },
      "this text, that of one verb, or the page for an outage",
      "  tideover help upload\n"
      "  tideover help upload run\n"
      "  tideover help outage | lp\n",
      cmd_help,
      false },
};
const unsigned n_commands = sizeof commands / sizeof commands[0];

const char *command_words(const struct command *c)
{
    static const struct {
        int (*run)(struct cli *c);
        const char *words;
    } of[] = { { cmd_open, "desk lead admin" },
               { cmd_pin_set, "lead admin" },
               { cmd_role, "desk lead admin" },
               { cmd_credential_set, "user password key ca" },
               { cmd_completion, "bash zsh fish" },
               { cmd_manual, "tideover tideover.conf tideover-policy" } };

    for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++)
        if (of[i].run == c->run)
            return of[i].words;
    return NULL;
}

const struct option_row *option_row(enum cli_opt o)
{
    return &options[o];
}

const struct command *command_find(const char *verb, const char *object)
{
    const struct command *plain = NULL;

    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];

        if (strcmp(c->verb, verb) != 0)
            continue;
        if (c->object == NULL)
            plain = c;
        else if (object != NULL && strcmp(c->object, object) == 0)
            return c;
    }
    return plain;
}

bool verb_exists(const char *verb)
{
    for (unsigned i = 0; i < n_commands; i++)
        if (strcmp(commands[i].verb, verb) == 0)
            return true;
    return false;
}

bool verb_has_objects(const char *verb)
{
    for (unsigned i = 0; i < n_commands; i++)
        if (strcmp(commands[i].verb, verb) == 0 && commands[i].object != NULL)
            return true;
    return false;
}

const char *verb_near(const char *verb)
{
    const char *near = NULL;
    unsigned best = NEAR + 1;

    for (unsigned i = 0; i < n_commands; i++) {
        unsigned d = edit_distance(verb, commands[i].verb);
        if (d < best) {
            best = d;
            near = commands[i].verb;
        }
    }
    return near;
}

const char *object_near(const char *verb, const char *object)
{
    const char *near = NULL;
    unsigned best = NEAR + 1;

    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];
        unsigned d;

        if (strcmp(c->verb, verb) != 0 || c->object == NULL)
            continue;
        d = edit_distance(object, c->object);
        if (d < best) {
            best = d;
            near = c->object;
        }
    }
    return near;
}

/* begin: where the last line begins; a line that would be too long goes on below. */
static void add_option(struct buf *b, size_t *begin, enum cli_opt o, bool needed)
{
    const struct option_row *row = &options[o];
    char text[80];
    int n = snprintf(text, sizeof text, " %s--%s%s%s%s", needed ? "" : "[", row->name,
                     row->value != NULL ? " " : "", row->value != NULL ? row->value : "",
                     needed ? "" : "]");

    if (b->len - *begin + (size_t)n > WIDTH) {
        buf_printf(b, "\n       ");
        *begin = b->len - 7;
    }
    buf_printf(b, "%s", text);
}

void command_usage(const struct command *c, FILE *to)
{
    struct buf b = { 0 };
    size_t begin = 0;

    buf_printf(&b, "tideover %s%s%s", c->verb, c->object != NULL ? " " : "",
               c->object != NULL ? c->object : "");
    if (c->args != NULL)
        buf_printf(&b, " %s", c->args);
    for (unsigned i = 0; i < NEEDS_MAX && c->needs[i] != OPT_NONE; i++)
        add_option(&b, &begin, c->needs[i], true);
    for (unsigned i = 0; i < TAKES_MAX && c->takes[i] != OPT_NONE; i++)
        add_option(&b, &begin, c->takes[i], false);
    fprintf(to, "%.*s\n", (int)b.len, b.p != NULL ? (const char *)b.p : "");
    buf_free(&b);
}

static void print_option(enum cli_opt o, FILE *to)
{
    char left[48];

    snprintf(left, sizeof left, "--%s %s", options[o].name,
             options[o].value != NULL ? options[o].value : "");
    fprintf(to, "  %-26s  %s\n", left, options[o].help);
}

static void print_globals(FILE *to)
{
    static const enum cli_opt always[] = { OPT_STATE, OPT_QUIET, OPT_NO_COLOR, OPT_HELP };

    for (unsigned i = 0; i < sizeof always / sizeof always[0]; i++)
        print_option(always[i], to);
}

void help_all(FILE *to)
{
    fputs("tideover carries a library branch over an outage of its server.\n\n"
          "Usage: tideover [--state DIR] VERB [OBJECT] [OPTIONS]\n\n",
          to);
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];
        char left[32];

        snprintf(left, sizeof left, "%s%s%s%s%s", c->verb, c->object != NULL ? " " : "",
                 c->object != NULL ? c->object : "", c->args != NULL ? " " : "",
                 c->args != NULL            ? c->args
                 : c->needs[0] == OPT_BATCH ? " --batch FILE|-"
                                            : "");
        fprintf(to, "  %-22s  %s\n", left, c->help);
    }
    fputs("\nEvery verb takes:\n", to);
    print_globals(to);
    fputs("\nExamples:\n"
          "  tideover init --branch MAIN --desk MAIN-1\n"
          "  tideover node &\n"
          "  tideover record checkout --user 29999000001016 --item 39999000005015\n"
          "  tideover upload plan\n"
          "\nMore on one verb: tideover VERB --help, or tideover VERB OBJECT --help\n",
          to);
}

static bool is_asked(const struct command *c, const char *verb, const struct command *only)
{
    return only != NULL ? c == only : strcmp(c->verb, verb) == 0;
}

void help_verb(const char *verb, const char *object, FILE *to)
{
    const struct command *one = object != NULL ? command_find(verb, object) : NULL,
                         *only = one != NULL && one->object != NULL ? one : NULL;
    bool taken[OPT_COUNT] = { false };

    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];

        if (!is_asked(c, verb, only))
            continue;
        command_usage(c, to);
        fprintf(to, "    %s\n", c->help);
        for (unsigned k = 0; k < NEEDS_MAX && c->needs[k] != OPT_NONE; k++)
            taken[c->needs[k]] = true;
        for (unsigned k = 0; k < TAKES_MAX && c->takes[k] != OPT_NONE; k++)
            taken[c->takes[k]] = true;
    }
    fputs("\nOptions:\n", to);
    for (unsigned o = OPT_NONE + 1; o < OPT_COUNT; o++)
        if (taken[o])
            print_option((enum cli_opt)o, to);
    print_globals(to);
    fputs("\nExamples:\n", to);
    for (unsigned i = 0; i < n_commands; i++)
        if (is_asked(&commands[i], verb, only))
            fputs(commands[i].examples, to);
}

int cmd_help(struct cli *c)
{
    if (c->argc == 0) {
        help_all(stdout);
        return 0;
    }
    if (strcmp(c->argv[0], "outage") == 0) {
        help_outage(stdout);
        return 0;
    }
    if (!verb_exists(c->argv[0]))
        return cli_usage(c, "there is no verb \"%s\"", c->argv[0]);
    help_verb(c->argv[0], c->argc > 1 ? c->argv[1] : NULL, stdout);
    return 0;
}
