# SPDX-License-Identifier: BSD-2-Clause
# bash completion for tcpcopy. Installed where bash-completion looks for it, and complete without it.
# shellcheck shell=bash

# _tcpcopy_offer WORD...: those that begin as the word at hand does, behind the items of a list
_tcpcopy_offer() {
  local before=
  [[ $cur != *,* ]] || before=${cur%,*},
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$*" -- "${cur##*,}")
}

_tcpcopy() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local devices=(/sys/class/net/*)

  COMPREPLY=()
  # bash takes "--send=li" for three words
  if [ "$cur" = = ]; then
    cur=
  elif [ "$prev" = = ]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $prev in
    -i | --input) _tcpcopy_offer any "${devices[@]##*/}" ;;
    -o | --output) _tcpcopy_offer "${devices[@]##*/}" ;;
    --send) _tcpcopy_offer auto link ip ;;
    --sample-by) _tcpcopy_offer session client ;;
    -R | --rtt) _tcpcopy_offer auto ;;
    -a | --speed) _tcpcopy_offer max ;;
    -s | --intercept) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
    -l | --log | -P | --pid-file | --stats-file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      ;;
    # Numbers, addresses and filters: nobody can guess them.
    -[xcHFBSnrfMDmtkjUpCIT] | --transfer | --client-ip | --localhost-ip | --filter | \
      --capture-buffer | --snap-length | --copies | --percent | --rate | --port-shift | --mtu | \
      --mss | --max-memory | --timeout | --keep-alive | --workers | --session-pool | --port | \
      --connections | --max-gap | --repeat) ;;
    *)
      cur=${cur//,/}
      _tcpcopy_offer --transfer --intercept --client-ip --localhost-ip --input --promiscuous \
        --filter --capture-buffer --snap-length --copies --percent --sample-by --rate --gradual \
        --port-shift --whole --output --send --mtu --mss --rtt --no-wait --max-memory --timeout \
        --keep-alive --workers --session-pool --port --connections --without-intercept --speed \
        --max-gap --repeat --stats-file --log --pid-file --daemon --check --version --help
      ;;
  esac
}

complete -F _tcpcopy tcpcopy
