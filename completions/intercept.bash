# SPDX-License-Identifier: BSD-2-Clause
# bash completion for intercept. Installed where bash-completion looks for it, and complete without it.
# shellcheck shell=bash

# _intercept_offer WORD...: those that begin as the word at hand does, behind the items of a list
_intercept_offer() {
  local before=
  [[ $cur != *,* ]] || before=${cur%,*},
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$*" -- "${cur##*,}")
}

_intercept() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local devices=(/sys/class/net/*)

  COMPREPLY=()
  # bash takes "--input=et" for three words
  if [ "$cur" = = ]; then
    cur=
  elif [ "$prev" = = ]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $prev in
    -i | --input) _intercept_offer any "${devices[@]##*/}" ;;
    -b | --bind) _intercept_offer "$(hostname -I 2>/dev/null)" ;;
    -l | --log | -P | --pid-file | --stats-file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      ;;
    # Numbers, addresses and filters: nobody can guess them.
    -[FDpns] | --filter | --translate | --port | --batch | --sessions) ;;
    *)
      cur=${cur//,/}
      _intercept_offer --input --filter --translate --port --bind --batch --sessions --stats-file \
        --log --pid-file --daemon --check --version --help
      ;;
  esac
}

complete -F _intercept intercept
