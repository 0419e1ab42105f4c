# Shared by the scripts of the test world; sourced, never run.
#
# A world is a directory and a name. The directory holds all its files. The name is in front of its network
# devices and cgroups, so that two worlds with different networks never meet.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
patience=${WHARF_WORLD_PATIENCE:-180}   # seconds that a daemon may take; a busy machine needs many
disk=${WHARF_WORLD_DISK:-512m}          # what each engine can store; it lies in memory

fail() { echo "${0##*/}: $*" >&2; exit 1; }

need_root() { [ "$(id -u)" = 0 ] || fail "the test world needs root: namespaces, a bridge and Docker engines"; }

# Reads --dir, and leaves the other arguments in `rest`. Sets DIR, NET and NAME: from the world in DIR if
# there is one, else from the environment.
find_world() {
  DIR='' rest=()
  while [ $# -gt 0 ]; do
    case $1 in
      --dir) [ $# -ge 2 ] || fail "--dir needs a directory"; DIR=$2; shift 2 ;;
      --dir=*) DIR=${1#--dir=}; shift ;;
      *) rest+=("$1"); shift ;;
    esac
  done
  NET=${WHARF_WORLD_NET:-10.77.0}
  [[ $NET =~ ^10\.([0-9]{1,3})\.([0-9]{1,3})$ ]] || fail "WHARF_WORLD_NET is '$NET'; it must be the first three numbers of a private network, such as 10.78.0"
  NAME=${WHARF_WORLD_NAME:-wh${BASH_REMATCH[1]}-${BASH_REMATCH[2]}}
  [[ $NAME =~ ^[a-z][a-z0-9-]{0,9}$ ]] || fail "WHARF_WORLD_NAME is '$NAME'; it must have up to 10 small letters, digits and dashes"
  if [ -z "$DIR" ]; then
    if [ -n "${WHARF_WORLD:-}" ]; then DIR=$(dirname "$WHARF_WORLD")
    else DIR=${WHARF_WORLD_DIR:-/tmp/$NAME}; fi
  fi
  DIR=$(realpath -m "$DIR")
  # Sockets lie below it, and the kernel allows 107 bytes for the path of one.
  [[ $DIR =~ ^/[A-Za-z0-9/._-]{1,60}$ ]] || fail "the world's directory '$DIR' must be at most 60 plain characters long, without spaces"
  if [ -f "$DIR/state" ]; then
    NET=$(sed -n 's/^net=//p' "$DIR/state")
    NAME=$(sed -n 's/^name=//p' "$DIR/state")
  fi
  BRIDGE=$NAME-br
  GATEWAY=$NET.1
  REGISTRY=$GATEWAY:5000
  PRIVATE=$GATEWAY:5001
  PROXY=$REGISTRY/haproxy:2.6
}

# One `up` or `down` of a name at a time. The lock's file goes away with its last holder's `unlock`.
lock() {
  local file=/run/lock/wharf-world-$NAME
  mkdir -p /run/lock
  while :; do
    exec 9>"$file"
    flock -w "$patience" 9 || fail "another up or down of the world '$NAME' has not ended within $patience s"
    [ "$(stat -Lc %i /proc/self/fd/9)" != "$(stat -c %i "$file" 2>/dev/null || true)" ] || return 0
  done
}
unlock() { rm -f "/run/lock/wharf-world-$NAME"; exec 9>&-; }

# --- processes: a pid file holds the pid and the start time, so that a reused pid is never taken for ours

start_time() {
  local line fields
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra fields <<<"${line##*) }"   # what follows the program's name, which may hold anything
  echo "${fields[19]}"
}

write_pid() { local started; started=$(start_time "$2") || return 1; echo "$2 $started" >"$1"; }

# Prints the pid of a pid file if that very process lives.
read_pid() {
  local pid started state
  [ -f "$1" ] && read -r pid started <"$1" || return 1
  [ "$(start_time "$pid")" = "$started" ] || return 1
  state=$(ps -o stat= -p "$pid") || return 1
  case $state in Z*) return 1 ;; esac
  echo "$pid"
}

kill_pid_file() {
  local pid
  if pid=$(read_pid "$1"); then
    kill -9 "$pid" 2>/dev/null || true
    wait_gone "$pid"
  fi
  rm -f "$1"
}

wait_gone() {
  local pid tries=0
  for pid in "$@"; do
    while [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
      tries=$((tries + 1))
      [ "$tries" -le $((patience * 20)) ] || fail "process $pid did not end"
      sleep 0.05
    done
  done
}

# A process and all below it.
tree() { local child; echo "$1"; for child in $(pgrep -P "$1" || true); do tree "$child"; done; }

# Waits until the command succeeds. Gives up when the process of the pid file dies, or out of patience.
wait_ready() {
  local what=$1 pid_file=$2 log=$3 end=$((SECONDS + patience))
  shift 3
  until "$@" >/dev/null 2>&1; do
    if ! read_pid "$pid_file" >/dev/null; then
      echo "$what ended at once. The end of $log:" >&2; tail -n 20 "$log" >&2; return 1
    fi
    if [ "$SECONDS" -ge "$end" ]; then
      echo "$what was not ready within $patience s. The end of $log:" >&2; tail -n 20 "$log" >&2; return 1
    fi
    sleep 0.05
  done
}

# --- hosts

valid_host() {
  if [[ ! ${1:-} =~ ^h[1-9][0-9]{0,2}$ ]] || [ "${1#h}" -gt 200 ]; then fail "'${1:-}' is not a host; hosts are h1 to h200"; fi
}
every_host() { find "$DIR" -mindepth 1 -maxdepth 1 -name 'h[0-9]*' -printf '%f\n' | sort -V; }
host_address() { echo "$NET.$((10 + ${1#h}))"; }
need_host() { valid_host "${1:-}"; read_pid "$DIR/$1/init.pid" >/dev/null || fail "$1 is not running in the world $DIR"; }

# Runs a command inside a host: its network, name, mounts and processes.
inside() {
  local host=$1 init
  shift
  init=$(read_pid "$DIR/$host/init.pid") || fail "$host is not running in the world $DIR"
  nsenter -t "$init" --net --uts --ipc --mount --pid --wd=/ -- "$@" 9>&-
}

# inside_daemon HOST NAME COMMAND...: starts a daemon there; its parent is the host's init. The pid outside is looked up
# among init's children, for the pid that the shell inside sees means nothing here.
inside_daemon() {
  local host=$1 name=$2 log=$DIR/$1/$2.log inner pid
  shift 2
  rm -f "$DIR/$host/$name.pid"
  # shellcheck disable=SC2016
  inner=$(inside "$host" sh -c 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $!' sh "$log" "$@")
  for pid in $(pgrep -P "$(read_pid "$DIR/$host/init.pid")" || true); do
    if [ "$(awk '/^NSpid:/ {print $NF}' "/proc/$pid/status" 2>/dev/null)" = "$inner" ]; then
      write_pid "$DIR/$host/$name.pid" "$pid" || true
    fi
  done
  [ -f "$DIR/$host/$name.pid" ] || { echo "$name of $host ended at once. The end of $log:" >&2; tail -n 20 "$log" >&2; return 1; }
}

# All processes of a host but its init.
host_processes() {
  local space init pid members
  init=$(read_pid "$DIR/$1/init.pid") || return 0
  space=$(readlink "/proc/$init/ns/pid")
  [ "$space" != "$(readlink /proc/self/ns/pid)" ] || fail "$1 has no process namespace of its own"
  members=$(for pid in /proc/[0-9]*; do
    if [ "$(readlink "$pid/ns/pid" 2>/dev/null)" = "$space" ]; then echo "${pid#/proc/}"; fi
  done)
  # What runs in containers has process namespaces below the host's: it descends from what is in the host's own.
  ps -e -o pid=,ppid= | awk -v init="$init" -v members="$members" '
    BEGIN { n = split(members, list, /[ \n]+/); for (i = 1; i <= n; i++) own[list[i]] = 1 }
    { parent[$1] = $2 }
    END { for (pid in parent) { at = pid; while (at in parent && !(at in own)) at = parent[at]; if (at in own && pid != init) print pid } }'
}

ping_engine() { curl -sf -m 5 --unix-socket "$DIR/$1/run/docker.sock" http://docker/_ping; }
knock() { timeout 5 bash -c "exec 3<>/dev/tcp/$1/$2"; }

spawn_engine() {
  local host=$1 listen=(--host unix:///run/docker.sock)
  if [ -f "$DIR/$host/tls" ]; then
    listen+=(--host tcp://0.0.0.0:2376 --tlsverify --tlscacert "$DIR/tls/ca.pem"
      --tlscert "$DIR/tls/$host.pem" --tlskey "$DIR/tls/$host-key.pem")
  fi
  # What a dockerd leaves when it is killed would stop the next one.
  rm -f "$DIR/$host/run/docker.pid" "$DIR/$host/run/docker/containerd/containerd.pid"
  inside_daemon "$host" dockerd dockerd "${listen[@]}" --config-file "$DIR/$host/daemon.json" --pidfile /run/docker.pid \
    --exec-root /run/docker --data-root /var/lib/docker --storage-driver overlay2 --log-level warn --raw-logs \
    --group root --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$NAME-$host" --insecure-registry "$NET.0/24"
}

wait_engine() { wait_ready "dockerd of $1" "$DIR/$1/dockerd.pid" "$DIR/$1/dockerd.log" ping_engine "$1"; }

start_sshd() {
  inside_daemon "$1" sshd /usr/sbin/sshd -D -e -f "$DIR/$1/sshd_config"
  wait_ready "sshd of $1" "$DIR/$1/sshd.pid" "$DIR/$1/sshd.log" inside "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/22'
}

# create_host HOST: namespaces, link, name, own /run and disk, sshd; its engine is started but not waited for.
create_host() {
  local host=$1 home=$DIR/$1 address unshare pid end=$((SECONDS + patience))
  address=$(host_address "$host")
  mkdir -p "$home/run/sshd" "$home/docker"
  chmod 755 "$home/run/sshd"
  echo '{}' >"$home/daemon.json"
  sed 's/^root:[^:]*:/root:*:/' /etc/shadow >"$home/shadow"   # a root with a locked password could not log in
  chmod 600 "$home/shadow"
  write_sshd_config "$host"
  setsid unshare --net --uts --ipc --mount --pid --fork --propagation private \
    "$here/host-init" "$host" "$home" "$disk" </dev/null >>"$home/init.log" 2>&1 9>&- &
  unshare=$!
  disown
  until [ -e "$home/run/ready" ]; do
    if [ ! -d "/proc/$unshare" ] || [ "$SECONDS" -ge "$end" ]; then
      echo "$host could not be made. The end of $home/init.log:" >&2; tail -n 20 "$home/init.log" >&2; return 1
    fi
    sleep 0.02
  done
  pid=$(read_pid "$home/init.pid")
  ip link add "$NAME-$host" type veth peer name eth0 netns "$pid"
  ip link set "$NAME-$host" master "$BRIDGE" up
  inside "$host" sh -c "ip link set lo up && ip addr add $address/24 dev eth0 && ip link set eth0 up"
  spawn_engine "$host"
  start_sshd "$host"
}

# remove_host HOST: all of one host, whatever its state.
remove_host() {
  local host=$1
  kill_pid_file "$DIR/$host/init.pid"   # the kernel ends the rest of its namespace first
  remove_device "$NAME-$host"
  remove_cgroups "$NAME-$host"
  rm -rf "${DIR:?}/$host"
}

# The kernel takes a link away by itself some time after its namespace has ended, maybe between our look and our order.
remove_device() {
  local tries=0
  while [ -e "/sys/class/net/$1" ]; do
    if ip link del "$1" 2>/dev/null; then break; fi
    tries=$((tries + 1))
    [ "$tries" -le 200 ] || fail "the network device $1 cannot be removed"
    sleep 0.05
  done
}

# A cgroup whose last process has just ended may need a moment.
remove_cgroups() {
  local group tries
  for group in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do
    for tries in {1..50}; do
      [ -d "$group" ] || break
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || [ "$tries" -lt 2 ] || sleep 0.1
    done
  done
}

write_sshd_config() {
  local home=$DIR/$1
  [ -f "$DIR/ssh/host_$1" ] || ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$DIR/ssh/host_$1"
  cat >"$home/sshd_config" <<CONFIG
ListenAddress 0.0.0.0:22
HostKey $DIR/ssh/host_$1
PidFile none
AuthorizedKeysFile $DIR/ssh/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
CONFIG
}

# ssh/config works. With the others the server refuses the key, the host key is another than the known one, or no host
# key is known. None looks at the files of the person who runs the tests.
write_ssh_configs() {
  local host kind key known new=$DIR/ssh/new.$$
  for host in $(every_host); do
    echo "$host,$(host_address "$host") $(cut -d' ' -f1,2 "$DIR/ssh/host_$host.pub")"
    [ -f "$DIR/ssh/other_$host" ] || ssh-keygen -q -t ed25519 -N '' -C other -f "$DIR/ssh/other_$host"
    echo "$host,$(host_address "$host") $(cut -d' ' -f1,2 "$DIR/ssh/other_$host.pub")" >&3
  done >"$new" 3>"$new.changed"
  mv "$new" "$DIR/ssh/known_hosts"
  mv "$new.changed" "$DIR/ssh/known_hosts.changed"
  : >"$DIR/ssh/known_hosts.unknown"
  for kind in '' .refused .changed .unknown; do
    key=id known=known_hosts$kind
    if [ "$kind" = .refused ]; then key=wrong known=known_hosts; fi
    {
      for host in $(every_host); do
        printf 'Host %s\n  HostName %s\n' "$host" "$(host_address "$host")"
        # The same by way of h1, to try a jump host.
        [ "$host" = h1 ] || printf 'Host %s-by-h1\n  HostName %s\n  ProxyCommand ssh -F %s -W %%h:%%p h1\n' "$host" "$(host_address "$host")" "$DIR/ssh/config"
      done
      cat <<CONFIG
Host *
  User root
  IdentityFile $DIR/ssh/$key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile $DIR/ssh/$known
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
CONFIG
    } >"$new"
    mv "$new" "$DIR/ssh/config$kind"
  done
}

# The certificate of a host's engine, for its address, its name and loopback.
make_server_certificate() {
  local host=$1 tls=$DIR/tls
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$host" \
    -keyout "$tls/$host-key.pem" -out "$tls/$host.csr" 2>>"$tls/openssl.log"
  openssl x509 -req -in "$tls/$host.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca-key.pem" -set_serial "0x$(openssl rand -hex 8)" -days 30 -sha256 \
    -extfile <(printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:%s,IP:%s,IP:127.0.0.1' \
      "$host" "$(host_address "$host")") -out "$tls/$host.pem" 2>>"$tls/openssl.log"
  touch "$DIR/$host/tls"
}

# How the world's fleet file reaches a host: the way that `up` or `host add` gave it.
host_way() { cat "$DIR/$1/way"; }
host_connect() {
  case $(host_way "$1") in
    ssh) echo "ssh://root@$(host_address "$1")" ;;
    tls) echo "tcp://$(host_address "$1"):2376" ;;
    unix) echo "unix://$DIR/$1/run/docker.sock" ;;
  esac
}

write_host_block() {
  local host=$1
  {
    echo '[[region.host]]'
    echo "name = \"$host\""
    echo "connect = \"$(host_connect "$host")\""
    case $(host_way "$host") in
      ssh) echo 'ssh_config = "ssh/config"' ;;
      tls) echo 'tls = { ca = "tls/ca.pem", cert = "tls/cert.pem", key = "tls/key.pem" }' ;;
    esac
    echo "address = \"$(host_address "$host")\""
  } >"$DIR/$host/fleet-host.toml"
}

# Everything that a test reads. Written again whenever a host or a pid changes.
write_world_env() {
  local host hosts=() new=$DIR/world.env.$$
  mapfile -t hosts < <(every_host)
  {
    echo "WORLD_DIR=$DIR"
    echo "WORLD_NAME=$NAME"
    echo "WORLD_NET=$NET"
    echo "WORLD_BRIDGE=$BRIDGE"
    echo "WORLD_GATEWAY=$GATEWAY"
    echo "WORLD_SCRIPTS=$here"
    (IFS=,; echo "WORLD_HOSTS=${hosts[*]}")
    echo "WORLD_FLEET=$DIR/fleet.toml"
    echo "WORLD_IMAGE=$REGISTRY/app"
    echo "WORLD_PROXY_IMAGE=$PROXY"
    echo "WORLD_PROXY_IMAGE_B=${PROXY}b"
    echo "WORLD_REGISTRY=$REGISTRY"
    echo "WORLD_PRIVATE_REGISTRY=$PRIVATE"
    echo "WORLD_PRIVATE_USER=wharf"
    echo "WORLD_PRIVATE_PASSWORD=$(cat "$DIR/registry/password")"
    echo "WORLD_PRIVATE_DOCKER_CONFIG=$DIR/registry/docker-config"
    echo "WORLD_SSH_CONFIG=$DIR/ssh/config"
    echo "WORLD_SSH_CONFIG_REFUSED=$DIR/ssh/config.refused"
    echo "WORLD_SSH_CONFIG_CHANGED=$DIR/ssh/config.changed"
    echo "WORLD_SSH_CONFIG_UNKNOWN=$DIR/ssh/config.unknown"
    echo "WORLD_TLS_CA=$DIR/tls/ca.pem"
    echo "WORLD_TLS_CERT=$DIR/tls/cert.pem"
    echo "WORLD_TLS_KEY=$DIR/tls/key.pem"
    echo "WORLD_TLS_WRONG_CA=$DIR/tls/wrong-ca.pem"
    echo "WORLD_TLS_WRONG_CERT=$DIR/tls/wrong-cert.pem"
    echo "WORLD_TLS_WRONG_KEY=$DIR/tls/wrong-key.pem"
    for host in "${hosts[@]}"; do
      echo "${host^^}_ADDRESS=$(host_address "$host")"
      echo "${host^^}_CONNECT=$(host_connect "$host")"
      echo "${host^^}_SOCKET=$DIR/$host/run/docker.sock"
      echo "${host^^}_DIR=$DIR/$host"
      echo "${host^^}_INIT_PID=$(read_pid "$DIR/$host/init.pid" || true)"
      echo "${host^^}_DOCKERD_PID=$(read_pid "$DIR/$host/dockerd.pid" || true)"
      echo "${host^^}_SSHD_PID=$(read_pid "$DIR/$host/sshd.pid" || true)"
    done
  } >"$new"
  mv "$new" "$DIR/world.env"
}

# --- registries

start_registry() {
  local which=$1 address
  case $which in open) address=$REGISTRY ;; private) address=$PRIVATE ;; *) fail "'$which' is not a registry; there are open and private" ;; esac
  rm -f "$DIR/registry/$which.pid"
  (
    write_pid "$DIR/registry/$which.pid" "$BASHPID"   # by itself, so that it is never there without
    exec setsid docker-registry serve "$DIR/registry/$which.yml" </dev/null >>"$DIR/registry/$which.log" 2>&1 9>&-
  ) &
  disown
  until [ -f "$DIR/registry/$which.pid" ]; do sleep 0.01; done
  wait_ready "the $which registry" "$DIR/registry/$which.pid" "$DIR/registry/$which.log" knock "${address%:*}" "${address#*:}"
}

# --- what is there

# Is anything of the world in this directory alive?
world_lives() {
  local file
  for file in "$1"/h*/init.pid "$1"/registry/*.pid; do
    if read_pid "$file" >/dev/null; then return 0; fi
  done
  return 1
}

# Prints the directory of another living world that has our name, thus our bridge.
other_owner() {
  local owner
  owner=$(cat "/sys/class/net/$BRIDGE/ifalias" 2>/dev/null) || return 1
  [ -n "$owner" ] && [ "$owner" != "$DIR" ] && world_lives "$owner" && echo "$owner"
}

# Takes away all that may be there, in any state. Needs only names and pid files, and can be run again.
clean_world() {
  local name file
  for file in "$DIR"/h[0-9]*; do
    # All at once first, so that the waiting below is short.
    if name=$(read_pid "$file/init.pid"); then kill -9 "$name" 2>/dev/null || true; fi
  done
  for file in "$DIR"/h[0-9]*; do
    if [ -d "$file" ]; then remove_host "$(basename "$file")"; fi
  done
  for file in "$DIR"/registry/*.pid; do kill_pid_file "$file"; done
  other_owner >/dev/null || clean_network
  if [ -f "$DIR/state" ]; then
    if grep -q " $DIR/" /proc/self/mounts; then fail "something is mounted below $DIR; it was left there"; fi
    rm -rf "$DIR"
  fi
}

# What bears our name in the kernel.
clean_network() {
  local file rule
  for file in /sys/class/net/"$NAME"-h[0-9]* "/sys/class/net/$BRIDGE"; do
    remove_device "$(basename "$file")"
  done
  for file in /sys/fs/cgroup/"$NAME"-h[0-9]* /sys/fs/cgroup/*/"$NAME"-h[0-9]*; do
    if [ -d "$file" ]; then remove_cgroups "$(basename "$file")"; fi
  done
  while read -ra rule; do
    iptables -w -D "${rule[@]:1}" || true
  done < <(iptables -w -S 2>/dev/null | grep -- "--comment $BRIDGE ")
}
