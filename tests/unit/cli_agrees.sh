#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Parser, --help, manual page and bash completion of both programs know the same options, with the same
# values, ranges and defaults. Run by make check in the build directory.
set -u
src=${srcdir:-$(dirname "$0")/../..}
count=0
status=0

# nothing NAME: ok if standard input is empty
nothing() {
  local found
  found=$(cat)
  count=$((count + 1))
  if [ -z "$found" ]; then
    echo "ok $count - $1"
  else
    status=1
    echo "not ok $count - $1"
    sed 's/^/# /' <<<"$found"
  fi
}

# Lines "TAG<tab>TEXT", an option each, of what --help prints: "-B, --capture-buffer MB<tab>capture ..."
options_of_help() {
  awk '
    function put() { if (tag != "") { sub(/ +$/, "", tag); print tag "\t" text } tag = text = "" }
    /^$/ { put() }
    /^  (-.,|    ) ?--/ { put(); tag = substr($0, 1, 27); text = substr($0, 29)
      if (length($0) > 27 && substr($0, 27, 2) != "  ") { at = match($0, /[^ ]  +[^ ]/)
        if (at) { tag = substr($0, 1, at); text = substr($0, at + 1) } else { tag = $0; text = "" } }
      sub(/^ +/, "", tag); sub(/^ +/, "", text); next }
    /^ {28}/ && tag != "" { sub(/^ +/, " "); text = text $0 }
    END { put() }'
}

# The same of a manual page: the tagged paragraphs of the section OPTIONS, macros and fonts taken out.
options_of_page() {
  awk '
    # Arguments of a macro, joined by between; quotes keep blanks.
    function join(line, between,    i, c, quoted, out, pending) {
      for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\"") quoted = !quoted
        else if (c == " " && !quoted) pending = out != ""
        else { if (pending) { out = out between; pending = 0 } out = out c }
      }
      return out
    }
    function plain(line) {
      if (sub(/^\.(BR|IR|RB|RI) /, "", line)) line = join(line, "")
      else if (sub(/^\.[BI] /, "", line)) line = join(line, " ")
      gsub(/\\f./, "", line); gsub(/\\/, "", line)
      return line
    }
    function put() { if (tag != "") print tag "\t" text; tag = text = "" }
    /^\.SH/ { put(); inside = $2 == "OPTIONS" }
    !inside { next }
    /^\.SS/ { put(); next }
    /^\.TP/ { put(); getline; tag = plain($0); next }
    tag != "" { text = text " " plain($0) }' "$1"
}

tags() { cut -f 1 | sort; }
long_names() { cut -f 1 | grep -o -- '--[a-z-]*' | sort; }
letters() { cut -f 1 | sed -n 's/^-\(.\),.*/\1/p' | sort; }

# Ranges "1 to 9" and the default in brackets at the end that --help has and the paragraph lacks.
differing_values() {
  local tag text page wanted
  while IFS=$'\t' read -r tag text; do
    page=$(grep -F -- "$tag"$'\t' "$work/page")
    { grep -Eo '[0-9]+ to [0-9]+' <<<"$text"; sed -n 's/.*(\([^:()]*\))$/\1/p' <<<"$text"; } |
      while read -r wanted; do
        grep -Fq -- "$wanted" <<<"${page#*$'\t'}" || echo "$tag: the page lacks '$wanted'"
      done
  done <"$work/help"
}

# A second unknown option follows, so that the program never starts.
refusal() { "$program" "$@" --frobnicate --frobnicate 2>&1 </dev/null; }

options_that_the_parser_lacks() {
  local name
  while read -r name; do
    ! refusal "$name" | grep -Fq -- "$name: unknown option" || echo "$name"
  done < <(long_names <"$work/help")
}

letters_of_the_parser() {
  local letter
  for letter in {A..Z} {a..z} {0..9}; do
    refusal "-$letter" | grep -Fq -- "-$letter: unknown option" || echo "$letter"
  done | sort
}

# complete WORD...: what completing the last word offers
complete_words() {
  bash -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); "_$1"
    printf "%s\n" "${COMPREPLY[@]}"' - "$src/completions/$name.bash" "$name" "$@" | sort
}

# offers NAME WANTED WORD...: the completion of the last word is exactly this
offers() {
  local what=$1 wanted=$2
  shift 2
  nothing "$what" < <(diff <(tr ' ' '\n' <<<"$wanted" | sort) <(complete_words "$@"))
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 1..21
for name in tcpcopy intercept; do
  program=$name/$name
  "$program" --help | options_of_help >"$work/help"
  options_of_page "$src/docs/$name.8" >"$work/page"
  nothing "$name: --help has options to compare" \
    < <([ "$(wc -l <"$work/help")" -ge 14 ] || cat "$work/help" - <<<"too few")
  nothing "$name: --help and the manual page name the same options and values" \
    < <(diff <(tags <"$work/help") <(tags <"$work/page"))
  nothing "$name: --help and the manual page say the same ranges and defaults" < <(differing_values)
  nothing "$name: the parser knows every long option of --help" < <(options_that_the_parser_lacks)
  nothing "$name: the parser knows the letters of --help and no others" \
    < <(diff <(letters <"$work/help") <(letters_of_the_parser))
  nothing "$name: every long option is completed, and nothing else" \
    < <(diff <(long_names <"$work/help") <(complete_words --))
  nothing "$name: a file is completed where one is asked for" \
    < <(complete_words -l "$src/docs/$name" | grep -Fxq "$src/docs/$name.8" || echo "no $name.8")
done

name=tcpcopy
offers "the modes of --send are completed" "auto link ip" --send ""
offers "also behind an equals sign" link --send = l
offers "nothing is offered for a number" "" -t ""
devices=$(cd /sys/class/net && echo *)
offers "devices are completed, and any" "any $devices" -i ""
offers "the second device of a list is completed" any,lo -i any,lo
offers "an output device is completed" "$devices" --output ""
name=intercept
offers "intercept's devices are completed" "any $devices" --input ""
exit $status
