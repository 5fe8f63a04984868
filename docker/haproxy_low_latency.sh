#!/bin/sh
# Has haproxy show a camera as it is now, not as it was seconds ago: takes the haproxy.cfg of
# OctoPrint's Docker image or of OctoPi, and gives one with which fewer frames wait in haproxy.
# --help says how to call it, docs/reverse-proxy.md why it helps. Needs a POSIX shell and any awk.
#
# A line that it adds ends with $added. One that it takes out stays, as a comment that starts with
# $took_out. So --undo knows what to do. What an earlier run did is always undone first: what comes
# out depends on the original and the options only, however often it is run.
set -eu
export LC_ALL=C # a comment may have any bytes

name=haproxy_low_latency.sh
added="  # added by $name"
took_out="#$name took out:"

usage() {
    cat <<END
usage: $name [--in-place] [--undo] [--check] [--https PEM] [FILE]

Takes FILE (default: /etc/haproxy/haproxy.cfg) and prints it with settings that keep the frames of
a camera from piling up in haproxy. Comments and all else stay as they are. Running it again changes
nothing more.

  --in-place   write FILE itself; what it was is kept as FILE.bak (FILE.bak.1, ... if that is there
               already)
  --undo       take these changes out again
  --check      have haproxy check what was made, and write nothing if it is not valid
  --https PEM  listen for HTTPS at port 443 too; PEM is a file with the certificate and its key
  --help       print this

haproxy reads the file when it starts or is reloaded.
END
}

say() {
    echo "$name: $*" >&2
}

fail() {
    say "$@"
    exit 1
}

misused() {
    say "$* (--help says how to call it)"
    exit 2
}

# Prints standard input without the changes of an earlier run.
undone() {
    awk -v added="$added" -v took_out="$took_out" '
        length($0) > length(added) && substr($0, length($0) - length(added) + 1) == added { next }
        index($0, took_out) == 1 { $0 = substr($0, length(took_out) + 1) }
        { print }'
}

# Prints standard input, which has no changes of an earlier run, with the settings. $1: the
# certificate, or nothing. Ends with 3 if this is no configuration of a proxy, with 4 if there is no
# place for HTTPS.
tuned() {
    awk -v added="$added" -v took_out="$took_out" -v pem="$1" '
        function indent(text) {
            match(text, /^[ \t]*/)
            return substr(text, 1, RLENGTH)
        }
        function below(number, margin, setting) {
            after[number] = after[number] margin setting added "\n"
        }
        # Sees to it that a section has a setting, below its first line.
        function want(section, setting) {
            if (!((section, setting) in has)) below(section, section in margin ? margin[section] : "        ", setting)
        }
        function take_out() {
            before[NR] = took_out
        }

        {
            line[NR] = text = $0
            sub(/\r$/, "", text)
            sub(/(^|[ \t])#.*/, "", text)
            sub(/^[ \t]+/, "", text)
            for (i = 1; i <= words; i++) delete word[i]
            words = split(text, word, /[ \t]+/)
            directive = word[1]
        }
        text == "" { next }

        directive ~ /^(global|defaults|frontend|backend|listen|userlist|peers|resolvers)$/ ||
        directive ~ /^(mailers|cache|program|ring)$/ ||
        directive ~ /^(http-errors|fcgi-app|log-forward|crt-store|traces)$/ {
            kind[NR] = directive
            number_of[directive]++
            # Several global sections are one.
            if (directive == "global" && !first_global) first_global = NR
            section = directive == "global" ? first_global : NR
            next
        }
        !(section in margin) { margin[section] = indent($0) }

        # What the kernel holds for each viewer and for each camera; and what is left of a buffer
        # for headers.
        directive ~ /^tune\.(sndbuf\.client|rcvbuf\.server|maxrewrite)$/ {
            if (word[2] == (directive == "tune.maxrewrite" ? 1024 : 16384)) has[section, directive " " word[2]] = 1
            else take_out()
        }
        # HTTP/2 needs the default, 16384; more only holds more.
        directive == "tune.bufsize" && word[2] + 0 > 16384 { take_out() }

        directive == "option" && word[2] == "http-no-delay" { has[section, "option http-no-delay"] = 1 }
        directive == "no" && word[3] == "http-no-delay" { take_out() }
        # It waits for the end of a request; a camera that sends its pictures has none.
        directive == "option" && word[2] == "http-buffer-request" { take_out() }
        directive == "timeout" && word[2] == "tunnel" { has[section, "timeout tunnel 1h"] = 1 }

        directive == "compression" && word[2] == "algo" { compressed[section] = NR }
        directive == "compression" && word[2] == "type" { chosen[section] = 1 }

        directive == "bind" {
            if (word[2] ~ /:80$/ && !http) {
                http = NR
                https = "bind " substr(word[2], 1, length(word[2]) - 2) "443"
                if (text ~ /[ \t]v4v6([ \t]|$)/) https = https " v4v6"
            }
            if (text ~ /[ \t]ssl([ \t]|$)/) tls = 1
        }
        tolower(text) ~ /x-scheme/ { scheme = 1 }

        END {
            if (!number_of["frontend"] && !number_of["listen"]) exit 3
            if (pem != "" && !tls && !http) exit 4
            if (pem != "" && !tls) {
                # HTTP/2 has one connection for all, and more room for frames to wait in.
                below(http, indent(line[http]), https " ssl crt " pem " alpn http/1.1")
                # OctoPrint makes its links with it.
                if (!scheme) below(http, indent(line[http]), "http-request set-header X-Scheme https if { ssl_fc }")
            }
            if (!first_global) after[0] = "global" added "\n"
            want(first_global + 0, "tune.sndbuf.client 16384")
            want(first_global + 0, "tune.rcvbuf.server 16384")
            want(first_global + 0, "tune.maxrewrite 1024")
            for (section in kind) {
                common = number_of["defaults"] ? kind[section] == "defaults" : kind[section] ~ /^(backend|listen)$/
                if (common) want(section, "option http-no-delay")
                if (common) want(section, "timeout tunnel 1h")
                # Without a choice haproxy compresses pictures too.
                if (section in compressed && !(section in chosen))
                    below(compressed[section], indent(line[compressed[section]]), "compression type text/html text/plain text/css text/javascript application/javascript application/json")
            }
            printf "%s", after[0]
            for (i = 1; i <= NR; i++) printf "%s%s\n%s", before[i], line[i], after[i]
        }'
}

# Gives the name of a backup that is not there yet.
free_backup() {
    backup=$1.bak
    number=0
    while [ -e "$backup" ]; do
        number=$((number + 1))
        backup=$1.bak.$number
    done
    echo "$backup"
}

# Writes into the file, not over it: it may be a mount of its own, a link, or not root's.
replace() {
    if cmp -s "$2" "$1"; then
        say "\"$1\": nothing to change"
        return
    fi
    [ -w "$1" ] || fail "\"$1\": cannot be written (mounted read-only, or not yours?)"
    backup=$(free_backup "$1")
    cp -p "$1" "$backup" || fail "\"$backup\": no backup could be made; nothing was changed"
    cat "$2" >"$1" || fail "\"$1\": not written whole (no space?); what it was is in \"$backup\""
    say "\"$1\": changed; what it was is in \"$backup\""
}

in_place='' undo='' check='' pem='' file=''
while [ $# -gt 0 ]; do
    case $1 in
    --in-place) in_place=yes ;;
    --undo) undo=yes ;;
    --check) check=yes ;;
    --https)
        [ $# -gt 1 ] || misused "--https needs the file of the certificate"
        shift
        pem=$1
        ;;
    --https=*) pem=${1#*=} ;;
    --help | -h)
        usage
        exit
        ;;
    -*) misused "\"$1\": no such option" ;;
    *)
        [ -z "$file" ] || misused "\"$1\": one file at a time"
        file=$1
        ;;
    esac
    shift
done
file=${file:-/etc/haproxy/haproxy.cfg}
case $pem in
*[!A-Za-z0-9_./@%+:,-]*) misused "\"$pem\": only letters, digits and _./@%+:,- can be in the name of the certificate" ;;
esac
[ -z "$undo" ] || [ -z "$pem" ] || misused "--undo takes HTTPS out, --https puts it in"
[ -e "$file" ] || fail "\"$file\": no such file"
{ [ -f "$file" ] && [ -r "$file" ]; } || fail "\"$file\": cannot be read"
[ -z "$check" ] || command -v haproxy >/dev/null || fail "there is no haproxy here to check with; leave --check out"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
undone <"$file" >"$work/original"
if [ -n "$undo" ]; then
    cp "$work/original" "$work/haproxy.cfg"
else
    status=0
    tuned "$pem" <"$work/original" >"$work/haproxy.cfg" || status=$?
    case $status in
    0) ;;
    3) fail "\"$file\": not a haproxy.cfg (no frontend and no listen section)" ;;
    4) fail "\"$file\": no bind line with port 80, beside which to listen for HTTPS" ;;
    *) fail "\"$file\": awk ended with $status" ;;
    esac
    if [ -n "$pem" ] && ! grep -qF " ssl crt $pem alpn http/1.1$added" "$work/haproxy.cfg"; then
        say "\"$file\": has HTTPS of its own; that is left as it is"
    fi
fi
if [ -n "$check" ]; then
    haproxy -c -f "$work/haproxy.cfg" >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        fail "\"$file\": haproxy does not take what was made; nothing was changed"
    }
fi
if [ -n "$in_place" ]; then
    replace "$file" "$work/haproxy.cfg"
else
    cat "$work/haproxy.cfg"
fi
