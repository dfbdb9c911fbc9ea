/* imprintctl: the table of subcommands. */
#include <signal.h>
#include <stdio.h>

#include <sodium.h>

#include "ctl.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct command_option program_options[] = {
    {"socket", '\0', "PATH", "the admin socket of imprintd"},
    {"timeout", '\0', "SECONDS", "how long to wait for an answer (30)"},
    {"json", '\0', NULL, "print the daemon's answer as JSON"},
};

static const struct command_option list_options[] = {
    {"threshold", '\0', "BITS", "the distance up to which a hash matches, 0 to 63 (31)"},
    {"quality-floor", '\0', "N", "refuse hashes of a lower quality, 0 to 100"},
    {"expiry-days", '\0', "N", "days after which new entries expire; 0: never"},
    {"state", '\0', "STATE", "active, shadow (matches are counted, not told) or off"},
    {"kind", '\0', "KIND", "block, or benign: hashes that must never block"},
    {"action", '\0', "WORD", "what a match asks a platform to do, such as block"},
    {"source", '\0', "TEXT", "who the hashes come from"},
    {"note", '\0', "TEXT", "a note for other admins; no personal data"},
    {"reason", '\0', "TEXT", "for the audit; no personal data"},
};

static const struct command_option list_delete_options[] = {
    {"yes", '\0', NULL, "do not ask"},
    {"reason", '\0', "TEXT", "for the audit; no personal data"},
};

static const struct command_option entry_add_options[] = {
    {"list", 'l', "NAME", "the list to add to"},
    {"image", '\0', "FILE", "hash this picture instead of giving a hash; - is standard input"},
    {"quality", '\0', "N", "the quality that came with the hash, 0 to 100"},
    {"expires", '\0', "DAY", "YYYY-MM-DD, or +N days"},
    {"note", '\0', "TEXT", "a note for other admins; no personal data"},
    {"reason", '\0', "TEXT", "for the audit; no personal data"},
};

static const struct command_option entry_list_options[] = {
    {"list", 'l', "NAME", "the list to read"},
    {"after", '\0', "ID", "begin after this entry"},
    {"limit", '\0', "N", "at most so many entries (1000)"},
};

static const struct command_option entry_disable_options[] = {
    {"until", '\0', "DAY", "YYYY-MM-DD, or +N days; else until it is enabled"},
    {"reason", '\0', "TEXT", "for the audit; no personal data"},
};

static const struct command_option reason_options[] = {
    {"reason", '\0', "TEXT", "for the audit; no personal data"},
};

static const struct command_option report_options[] = {
    {"list", 'l', "NAME", "the list that takes the hashes"},
};

static const struct command_option withdraw_options[] = {
    {"file", 'f', "FILE", "the withdrawal that the holder made with imprint withdraw"},
    {"reason", '\0', "TEXT", "why, when an admin withdraws; for the audit; no personal data"},
};

static const struct command_option match_options[] = {
    {"lists", 'l', "NAMES", "search only these lists, separated by commas"},
};

static const struct command_option audit_options[] = {
    {"after", '\0', "SEQ", "begin after this record"},
    {"limit", '\0', "N", "at most so many records, up to 1000 (100)"},
};

static const struct command_option import_options[] = {
    {"list", 'l', "NAME", "the list that takes the hashes"},
    {"format", 'f', "FORMAT", "hex, pdq, base64, csv, tx, stopncii, ncmec, vics or imprint"},
    {"dry-run", 'n', NULL, "read and count, change nothing; needs no daemon"},
    {"all-or-nothing", '\0', NULL, "change nothing if a record is invalid (this is the default)"},
    {"keep-going", 'k', NULL, "import the others if a record is invalid"},
    {"trust", '\0', "KEY", "accept only a file signed with this key: 64 digits, or a file of them"},
};

static const struct command_option export_options[] = {
    {"list", 'l', "NAME", "the list to export"},
    {"format", 'f', "FORMAT", "imprint (the default), hex, tx or stopncii-feedback"},
    {"output", 'o', "FILE", "write there instead of standard output; whole or not at all"},
    {"force", '\0', NULL, "replace FILE if it exists"},
    {"sign", '\0', "FILE", "sign with the key in this file: 64 digits, the seed of an Ed25519 key"},
    {"notes", '\0', NULL, "export notes too"},
    {"since", '\0', "SEQ", "only what changed after this change, removals included"},
    {"status", '\0', "WORD", "the category (tx) or feedback value (stopncii-feedback) of entries"},
};

static const struct command_option fetch_options[] = {
    {"list", 'l', "NAME", "the list that takes the hashes"},
    {"state", '\0', "FILE", "where the place in the feed is kept between runs"},
    {"credentials", '\0', "FILE", "a JSON object with the two keys of the feed"},
    {"url", '\0', "URL", "the feed's address, if it is another than the usual one"},
    {"max-pages", '\0', "N", "end after so many pages; the next fetch goes on there"},
    {"retry-delay", '\0', "SECONDS", "before the second try (2), then twice as long each time"},
};

static const struct command commands[] = {
    {"status", "", "Show whether the daemon is ready and how much it holds", NULL, NULL, 0, 0, 0,
     ctl_status},
    {"stats", "", "Show what the daemon, its workers and its sockets are doing", NULL, NULL, 0, 0,
     0, ctl_stats},
    {"list create", "NAME", "Make a list",
     "Examples:\n"
     "  imprintctl list create reports --action block\n"
     "  imprintctl list create partner --threshold 23 --state shadow --source \"Partner\"\n",
     list_options, COUNT(list_options), 1, 1, ctl_list_create},
    {"list show", "[NAME]", "Show all lists, or one",
     "Examples:\n  imprintctl list show\n  imprintctl list show reports --json\n", NULL, 0, 0, 1,
     ctl_list_show},
    {"list change", "NAME", "Change a list; the next query sees it",
     "Example:\n  imprintctl list change partner --state active\n", list_options,
     COUNT(list_options), 1, 1, ctl_list_change},
    {"list delete", "NAME", "Remove a list and all its entries",
     "Example:\n  imprintctl list delete partner --yes --reason \"contract ended\"\n",
     list_delete_options, COUNT(list_delete_options), 1, 1, ctl_list_delete},
    {"entry add", "[HASH...]", "Add hashes, or the hash of a picture",
     "Examples:\n"
     "  imprintctl entry add --list reports --image picture.jpg\n"
     "  imprintctl entry add --list partner --expires +365 HASH\n",
     entry_add_options, COUNT(entry_add_options), 0, COMMAND_ARGUMENTS_ANY, ctl_entry_add},
    {"entry show", "ID", "Show an entry", NULL, NULL, 0, 1, 1, ctl_entry_show},
    {"entry find", "HASH", "Show the entries that have exactly this hash", NULL, NULL, 0, 1, 1,
     ctl_entry_find},
    {"entry list", "", "Show the entries of a list",
     "Example:\n  imprintctl entry list --list reports --json\n", entry_list_options,
     COUNT(entry_list_options), 0, 0, ctl_entry_list},
    {"entry disable", "ID", "Leave an entry out of all matches for a time",
     "Example:\n  imprintctl entry disable 17 --until +14 --reason \"under review\"\n",
     entry_disable_options, COUNT(entry_disable_options), 1, 1, ctl_entry_disable},
    {"entry enable", "ID", "Let a disabled entry match again", NULL, reason_options,
     COUNT(reason_options), 1, 1, ctl_entry_enable},
    {"entry expire", "ID DAY", "Let an entry end at a day: YYYY-MM-DD, +N days or never",
     "Example:\n  imprintctl entry expire 17 2027-12-31\n", reason_options, COUNT(reason_options),
     2, 2, ctl_entry_expire},
    {"entry remove", "ID...", "Remove entries",
     "Example:\n  imprintctl entry remove 17 18 --reason \"wrong picture\"\n", reason_options,
     COUNT(reason_options), 1, COMMAND_ARGUMENTS_ANY, ctl_entry_remove},
    {"report accept", "FILE...", "Take report files into a list; - is standard input",
     "The same report twice is one case.\n\n"
     "Example:\n  imprintctl report accept report.json --list reports\n",
     report_options, COUNT(report_options), 1, COMMAND_ARGUMENTS_ANY, ctl_report_accept},
    {"case show", "NUMBER", "Show a case: whether it is in force, how many pictures", NULL, NULL, 0,
     1, 1, ctl_case_show},
    {"case withdraw", "[NUMBER]", "End a case: its hashes leave the list",
     "With --file the holder's own withdrawal is checked by the daemon and names the case;\n"
     "without it an admin withdraws and says why.\n\n"
     "Examples:\n"
     "  imprintctl case withdraw --file withdrawal.json\n"
     "  imprintctl case withdraw NUMBER --reason \"asked for by telephone, known helpline\"\n",
     withdraw_options, COUNT(withdraw_options), 0, 1, ctl_case_withdraw},
    {"import", "FILE", "Take a file of another organisation into a list; - is standard input",
     "The format is found out from the file's beginning. A file is checked as a whole before\n"
     "anything changes; importing it again changes nothing.\n\n"
     "Examples:\n"
     "  imprintctl import hashes.csv --list partner --dry-run\n"
     "  imprintctl import page.json --list stopncii --keep-going\n"
     "  imprintctl import list.jsonl --list partner --trust partner.pub\n",
     import_options, COUNT(import_options), 1, 1, ctl_import},
    {"fetch", "FEED", "Follow another organisation's feed: stopncii or ncmec",
     "Each page is checked, applied, and then the place after it is kept. A page that cannot be\n"
     "read is tried again and never skipped.\n\n"
     "Example:\n"
     "  imprintctl fetch stopncii --list stopncii --state stopncii.state --credentials keys.json\n",
     fetch_options, COUNT(fetch_options), 1, 1, ctl_fetch},
    {"export", "", "Write a list in a format that others read",
     "Examples:\n"
     "  imprintctl export --list reports --output reports.jsonl --sign key\n"
     "  imprintctl export --list reports --format tx >reports.csv\n",
     export_options, COUNT(export_options), 0, 0, ctl_export},
    {"match", "FILE|HASH...", "Ask whether pictures or hashes are on a list",
     "Ends with 1 when one is. A file whose name is 64 hexadecimal digits is given as ./NAME.\n\n"
     "Examples:\n  imprintctl match upload.jpg\n  imprintctl match --lists reports --json HASH\n",
     match_options, COUNT(match_options), 1, COMMAND_ARGUMENTS_ANY, ctl_match},
    {"scan", "FILE...", "Ask about files and answer as a virus scanner does",
     "One line a file: OK, LIST FOUND or UNHASHABLE.\n\n"
     "Example:\n  imprintctl scan upload.jpg || mv upload.jpg quarantine/\n",
     match_options, COUNT(match_options), 1, COMMAND_ARGUMENTS_ANY, ctl_scan},
    {"audit verify", "", "Prove that nothing in the audit was changed",
     "Ends with 2 when it does not verify, and names the first record that is wrong.\n", NULL, 0, 0,
     0, ctl_audit_verify},
    {"audit", "", "Show who changed what", "Example:\n  imprintctl audit --after 1000 --limit 50\n",
     audit_options, COUNT(audit_options), 0, 0, ctl_audit},
    {"compact", "", "Rewrite the list's file without what was removed",
     "After this, hashes of withdrawn cases are no longer in the file.\n\n"
     "Example:\n  imprintctl compact --reason \"nightly\"\n",
     reason_options, COUNT(reason_options), 0, 0, ctl_compact},
    {"backup", "PATH", "Copy the list while it is served",
     "The daemon writes the copy, as its own user. Backups keep what was withdrawn later:\n"
     "delete old ones.\n\n"
     "Example:\n  imprintctl backup /var/backups/imprint-2026-11-22\n",
     NULL, 0, 1, 1, ctl_backup},
};

static const struct command_program program = {
    .name = "imprintctl",
    .version = IMPRINT_VERSION,
    .summary = "Keeps the lists of imprintd: lists, entries, reports, cases, matches",
    .epilogue =
        "The socket is --socket, else $IMPRINT_ADMIN_SOCKET, else /run/imprint/admin.sock.\n"
        "\n"
        "Exit status:\n"
        "  0  done; nothing found\n"
        "  1  a picture or hash is on a list\n"
        "  2  something failed, or the command was not understood\n"
        "  3  a picture is too small or too flat to tell\n"
        "  4  the daemon is not there or too busy: try again\n",
    .options = program_options,
    .option_count = COUNT(program_options),
    .commands = commands,
    .command_count = COUNT(commands),
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0) {
        fprintf(stderr, "imprintctl: the system gives no randomness\n");
        return EXIT_STATUS_ERROR;
    }
    return (int)command_main(&program, argc, argv);
}
