# save.py URL NAME
import re, sys, time, urllib.error, urllib.parse, urllib.request

def unescape(text):
    text = re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else m[2], text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16")

def send(url, seconds):
    try:
        with urllib.request.urlopen(url, timeout=seconds) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()

def save(url, name, timeout=60_000):
    command = {"req": "saveToFile", "name": name, "timeout": timeout}
    url += ("&" if "?" in url else "?") + urllib.parse.urlencode(command, quote_via=urllib.parse.quote)
    for attempt in range(1, 6):
        http, body = send(url, timeout / 1000 + 5)
        lines = [line for line in body.decode("ascii", "replace").splitlines() if "=" in line and line[0] != "#"]
        reply = {key: unescape(value) for key, value in (line.split("=", 1) for line in lines)}
        if reply.get("status") == "done":
            return reply
        if reply.get("error.retry") != "true" and http not in (0, 429, 502, 503, 504):
            break
        time.sleep(attempt)
    raise RuntimeError(f"{http}: {reply.get('error.message', body)}")

print(save(sys.argv[1], sys.argv[2]))
