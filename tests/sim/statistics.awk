# SPDX-License-Identifier: BSD-2-Clause
# statistics.awk - capture loss against its model. Reads the figures of one run (sim --counts), NAME=VALUE.
#
# A session is a SYN and `requests` requests of one packet each. Each of these packets is missed by the capture with
# probability p, whatever becomes of the others. None can be had again, so a session is complete at the target if none
# was missed: probability (1 - p)^(1 + requests). Without rejoining it delivers what comes before the first request
# that was missed, or nothing if the SYN was. With it, each request whose predecessor (the first one's is the SYN) was not missed
# either: nobody knows whether what comes right behind a gap begins there.
#
# -v of, p, joins, requests: what was run, and
# -v as=row      a row of a Markdown table, or
# -v as=verdicts lines "0 TEXT" (good) and "1 TEXT" (bad)

function amount(name) { return v[name "_requests"] }
function bytes(name) { return v[name "_bytes"] }
function verdict(good, text) { print !good, text }

# How many sigmas `have` lies above what the model expects
function z_of(have, mean, variance) { return (have - mean) / sqrt(variance) }

{
  for (i = 1; i <= NF; i++)
    if (split($i, pair, "=") == 2)
      v[pair[1]] = pair[2]
}

END {
  n = v["sessions"]
  if (!n || !amount("captured")) { # it has crashed, or as good as
    verdict(0, "no figures")
    exit
  }
  complete = (1 - p) ^ (1 + requests)
  sigma = sqrt(n * complete * (1 - complete))
  z = z_of(v["complete"], n * complete, sigma ^ 2)
  if (joins)
    pairs(1 - p)
  else
    prefixes(1 - p)
  z_delivered = z_of(amount("delivered"), n * mean, n * variance)
  if (as == "row")
    row()
  else
    verdicts()
}

# Without rejoining: at least k requests arrive with probability q^(1 + k).
function prefixes(q, k, square) {
  for (k = 1; k <= requests; k++) {
    mean += q ^ (1 + k)
    square += (2 * k - 1) * q ^ (1 + k)
  }
  variance = square - mean ^ 2
}

# With it: a sum of products of neighbours, each of which shares a factor with the next.
function pairs(q) {
  mean = requests * q ^ 2
  variance = requests * q ^ 2 * (1 - q ^ 2) + 2 * (requests - 1) * (q ^ 3 - q ^ 4)
}

function row() {
  printf "| %s | %g %% | %s |", of == "request-loss" ? "SYN, data" : "any", 100 * p, joins ? "yes" : "no"
  printf " %d | %d | %.1f ± %.1f | %+.2f |", n, v["complete"], n * complete, sigma, z
  printf " %d | %d | %.2f %% |", amount("captured"), amount("delivered"), 100 * amount("delivered") / amount("captured")
  printf " %d, %d | %d / %d | %d |\n", amount("gap"), amount("unjoined"), v["gaps_made"], v["gaps_named"],
    v["wrong_bytes"]
}

function verdicts() {
  verdict(v["packets"] == n * (1 + requests) && z ^ 2 <= 9,
    sprintf("%d of %d sessions complete, expected %.1f, sigma %.1f, z %+.2f", v["complete"], n, n * complete, sigma, z))
  verdict(z_delivered ^ 2 <= 9,
    sprintf("%d requests delivered, expected %.1f, z %+.2f", amount("delivered"), n * mean, z_delivered))
  verdict(v["wrong_bytes"] == 0 && bytes("delivered") > 0, v["wrong_bytes"] " wrong bytes at the target")
  verdict(v["gaps_made"] == v["gaps_named"] && v["gaps_made"] > 0,
    v["gaps_made"] " gaps made, " v["gaps_named"] " in the ledger")
  verdict(requests_add_up() && bytes_add_up(),
    sprintf("of %d requests %d missed, %d delivered (%.2f %% of those captured), capture-gap %d, before-join %d",
      n * requests, amount("missed"), amount("delivered"), 100 * amount("delivered") / amount("captured"),
      amount("gap"), amount("unjoined")))
}

function requests_add_up() {
  return n * requests == amount("missed") + amount("captured") &&
    amount("captured") == amount("delivered") + amount("dropped") &&
    amount("dropped") == amount("gap") + amount("unjoined")
}

function bytes_add_up() {
  return bytes("captured") == bytes("delivered") + bytes("dropped") &&
    bytes("dropped") == bytes("gap") + bytes("unjoined")
}
