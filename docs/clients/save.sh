#!/bin/sh
# save.sh URL NAME
for attempt in 1 2 3 4 5; do
  reply=$(curl --silent --show-error --globoff --max-time 65 --get "$1" --data-urlencode "name=$2" \
    --data req=saveToFile --data timeout=60000 --write-out '\nhttp=%{http_code}')
  case $reply in
    *status=done*http=200) echo "$reply"; exit 0 ;;
    *error.retry=true* | *http=429 | *http=502 | *http=503 | *http=504 | *http=000) sleep "$attempt" ;;
    *) break ;;
  esac
done
echo "$reply" >&2
exit 1
