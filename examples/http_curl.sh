#!/usr/bin/env bash
# netwright over HTTP with curl: look at what is there, validate and evaluate a network, ask for one in words.
#
#   netwright serve &                    # prints its address and the token, which the data directory keeps
#   NETWRIGHT_TOKEN=… examples/http_curl.sh [http://127.0.0.1:8321] [network.py]
set -euo pipefail

url=${1:-http://127.0.0.1:8321}
network=${2:-$(dirname "$0")/small_net.py}
token=${NETWRIGHT_TOKEN:?say the token that netwright serve prints}

# The token comes from a file descriptor: the arguments of a command can be read by everybody on the machine.
ask() { curl --silent --show-error --fail-with-body --header @<(printf 'Authorization: Bearer %s' "$token") "$@"; }
json() { ask --header 'Content-Type: application/json' --data @- "$@"; }
field() { python3 -c 'import json, sys; print(eval("document" + sys.argv[1], {"document": json.load(sys.stdin)}))' "$1"; }
body() { python3 -c 'import json, sys; print(json.dumps({"source": open(sys.argv[1]).read(), "dataset": "digits"}))' "$network"; }

echo "server: $(ask "$url/health" | field '["status"]')"
echo "tools: $(ask "$url/tools" | field '["tools"].__len__()')"
echo "verdict: $(body | json "$url/tools/validate" | field '["stage"]')"

# Tools that take minutes answer with a job.
job=$(body | json "$url/tools/evaluate" | field '["id"]')
echo "job: $job"
ask --no-buffer "$url/jobs/$job/events" | grep --line-buffered '^event:' | uniq
echo "metric: $(ask "$url/jobs/$job/result" | field '["result"]["metric"]')"

# The design conversation, as any client of OpenAI's API has it.
echo '{"model": "netwright", "messages": [{"role": "user", "content": "a network under 50k parameters"}]}' |
  json "$url/v1/chat/completions" | field '["choices"][0]["message"]["content"]'
