/* imprint: the table of subcommands. */
#include <stdio.h>

#include <sodium.h>

#include "companion.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct command_option program_options[] = {
    {"locale", '\0', "TAG", "language and country of the texts, such as en-GB"},
    {"no-cage", '\0', NULL, "go on where the system has no cage for programs"},
};

static const struct command_option hash_options[] = {
    {"json", '\0', NULL, "one JSON object a line"},
    {"views", '\0', NULL, "also the hashes of the turned, mirrored and trimmed picture"},
    {"policy", '\0', "POLICY", "exact (as the reference, bit for bit) or fast"},
};

static const struct command_option report_options[] = {
    {"output", 'o', "FILE", "where the report is saved (report.json)"},
    {"force", '\0', NULL, "replace a file of that name"},
    {"everyone-was-adult", '\0', "ANSWER",
     "everyone in the pictures was 18 or over: yes, no, unsure"},
    {"it-is-me", '\0', "ANSWER", "they show me, or a person who asked me to do this: yes, no"},
    {"i-understand", '\0', "ANSWER", "I understand what the report is and can do: yes, no"},
    {"include-low-quality", '\0', NULL, "also pictures with very little detail"},
    {"quiet", 'q', NULL, "no guidance, for scripts"},
    {"json", '\0', NULL, "print case number and code as JSON"},
};

static const struct command_option code_options[] = {
    {"output", 'o', "FILE", "where the file is saved"},
    {"force", '\0', NULL, "replace a file of that name"},
    {"hide-typing", '\0', NULL, "do not show the code while it is typed"},
    {"json", '\0', NULL, "print the case number as JSON"},
};

static const struct command commands[] = {
    {"report", "FILE|FOLDER...", "Make a report of pictures that are shared without consent",
     "Asks some questions, works out hashes of the pictures on this device, and saves a file\n"
     "that holds these hashes and nothing else about the pictures or you. Nothing is sent.\n"
     "Shows one code, once: with it you can take the report back.\n"
     "Of a folder, every picture in it is taken.\n\n"
     "Examples:\n"
     "  imprint report -o report.json picture1.jpg picture2.jpg\n"
     "  imprint report --quiet --json --everyone-was-adult yes --it-is-me yes \\\n"
     "      --i-understand yes -o report.json picture1.jpg\n",
     report_options, COUNT(report_options), 1, COMMAND_ARGUMENTS_ANY, companion_report},
    {"withdraw", "", "Make a file that takes a report back",
     "The code is read from the terminal or standard input, never from the command line.\n\n"
     "Example:\n  imprint withdraw -o withdrawal.json\n",
     code_options, COUNT(code_options), 0, 0, companion_withdraw},
    {"status", "", "Make a file that asks whether a report is in force",
     "The code is read from the terminal or standard input, never from the command line.\n\n"
     "Example:\n  imprint status -o status.json\n",
     code_options, COUNT(code_options), 0, 0, companion_status},
    {"hash", "FILE|FOLDER...", "Print the hashes of pictures",
     "One line a picture: hash, quality (0 to 100), name. - is standard input.\n"
     "Of a folder, every picture in it is taken.\n"
     "A file that cannot be read does not stop the others.\n\n"
     "Examples:\n  imprint hash *.jpg\n  imprint hash --json --views picture.png\n",
     hash_options, COUNT(hash_options), 1, COMMAND_ARGUMENTS_ANY, companion_hash},
};

static const struct command_program program = {
    .name = "imprint",
    .version = IMPRINT_VERSION,
    .summary = "Turns pictures into hashes on your own device, so that copies can be blocked.\n"
               "It opens no network connection",
    .epilogue = "If this is about you: you are not to blame, and you are not alone.\n"
                "\n"
                "Exit status:\n"
                "  0  done\n"
                "  2  something failed, or the command was not understood; a report may have\n"
                "     been made without the pictures that could not be read\n"
                "  3  a picture is too small or too plain; the others were done\n"
                "  5  stopped before any picture: somebody in it may be under 18\n"
                "  6  stopped because of an answer; nothing was made\n",
    .options = program_options,
    .option_count = COUNT(program_options),
    .commands = commands,
    .command_count = COUNT(commands),
};

int main(int argc, char **argv)
{
    if (!guard_enter() || sodium_init() < 0) {
        fprintf(stderr, "imprint: this system does not let memory be protected\n");
        return EXIT_STATUS_ERROR;
    }
    return (int)command_main(&program, argc, argv);
}
