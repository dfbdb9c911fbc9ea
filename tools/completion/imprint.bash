# Completion of imprint and imprintctl for bash. Commands and options come from the programs' own
# help, so they are never out of date; nothing else is run.

# The commands, a line each; some have two words.
_imprint_commands() {
  "$1" --help 2>/dev/null | sed -n '/^Commands:/,/^Options:/s/^  \([a-z]*\( [a-z]\{1,\}\)\{0,1\}\)\(  .*\| \[.*\)$/\1/p'
}

# The long options of a command; those that take a value end in "=".
_imprint_options() {
  "$1" help ${2:+$2} 2>/dev/null |
    sed -n 's/^ .*\(--[a-z-]*\)\( [A-Z]\{1,\}\)\{0,1\}\(  .*\)\{0,1\}$/\1 \2/p' |
    while read -r option value; do printf '%s%s\n' "$option" "${value:+=}"; done
}

_imprint() {
  local program=$1 current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local words=() word command= commands line
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* || $word == = ]] || words+=("$word")
  done
  commands=$(_imprint_commands "$program")
  COMPREPLY=()
  # The longest command that the words begin with.
  while IFS= read -r line; do
    [[ "${words[*]} " == "$line "* && ${#line} -gt ${#command} ]] && command=$line
  done <<<"$commands"

  if [[ $previous == = || $current == = ]]; then
    [[ $current == = ]] && current=
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_imprint_options "$program" "$command")" -- "$current")
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
  else
    # The next word of every command that goes on from here; where none does, files.
    local so_far="${words[*]}"
    [[ $command == help ]] && so_far="${words[*]:1}"
    line=$(while IFS= read -r line; do
      [[ -z $so_far ]] && printf '%s\n' "${line%% *}"
      [[ -n $so_far && $line == "$so_far "* ]] && printf '%s\n' "${line#"$so_far "}"
    done <<<"$commands" | sort -u)
    if [[ -n $line || -z $command || $command == help ]]; then
      mapfile -t COMPREPLY < <(compgen -W "$line" -- "$current")
    else
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
  fi
} && complete -F _imprint imprint imprintctl
