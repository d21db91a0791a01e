// A Ceph cluster of one node with its S3 gateway, on the loopback interface and with its objects in memory: what
// `npm run test:s3` saves to. It is up in about 15 seconds.
//
//   node scripts/ceph.mjs start FOLDER     makes a cluster below a new folder and prints how to reach it, as JSON
//   node scripts/ceph.mjs gateway FOLDER   starts its gateway again, after it was killed
//   node scripts/ceph.mjs stop FOLDER      stops it and removes the folder
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const NEEDED = ['ceph', 'ceph-authtool', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];

/** A user who may create buckets, and a user with only the rights of a bucket's policy. */
const USERS = [
  { name: 'owner', accessKey: 'OWNERKEY', secretKey: 'owner-secret' },
  { name: 'guest', accessKey: 'GUESTKEY', secretKey: 'guest-secret' },
];

function checkNeeds() {
  const missing = NEEDED.filter((name) => !isInstalled(name));
  if (missing.length > 0) {
    throw new Error(
      `${missing.join(', ')} missing. Install Ceph's daemons, on Debian and Ubuntu by: ` +
        'apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common',
    );
  }
  if (process.getuid?.() !== 0) throw new Error("Ceph's daemons are started as root: run this as root");
}

function isInstalled(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Some free ports, all opened at the same time so that they differ. */
async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise((done, failed) => {
        server.once('error', failed);
        server.listen(0, '127.0.0.1', done);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** Runs one of Ceph's programs to its end. */
function run(folder, program, ...args) {
  return execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Starts one of Ceph's daemons in the background, detached from this script's output. */
function startDaemon(folder, program, ...args) {
  execFileSync(program, [...args, '-c', join(folder, 'ceph.conf')], { cwd: folder, stdio: 'ignore' });
}

async function until(what, isSo) {
  for (let attempt = 0; attempt < 240; attempt += 1) {
    if (await isSo()) return;
    await sleep(250);
  }
  throw new Error(`${what} within a minute`);
}

function configuration({ folder, id, monitor, gateway }) {
  return `[global]
fsid = ${id}
mon initial members = one
mon host = [v2:127.0.0.1:${monitor}]
public addr = 127.0.0.1
ms bind msgr1 = false
keyring = ${folder}/keyring
log file = ${folder}/log/$name
pid file = ${folder}/run/$name.pid
admin socket = ${folder}/run/$name.$pid.socket
run dir = ${folder}/run
mon data = ${folder}/mon
osd data = ${folder}/osd
# One disk, in memory, with the only copy of all data.
osd objectstore = memstore
memstore device bytes = 8589934592
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
mon allow pool size one = true
mon max pg per osd = 1000
[client.gateway]
rgw frontends = beast endpoint=127.0.0.1:${gateway}
# Replaced and aborted objects are freed at once, because the disk is small and a full one does not answer.
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 5
`;
}

async function start(folder) {
  checkNeeds();
  for (const part of ['mon', 'osd', 'log', 'run']) mkdirSync(join(folder, part), { recursive: true });
  const [monitor, gateway] = await freePorts(2);
  const [id, disk] = [randomUUID(), randomUUID()];
  writeFileSync(join(folder, 'ceph.conf'), configuration({ folder, id, monitor, gateway }));
  const authtool = (...args) => run(folder, 'ceph-authtool', 'keyring', '--gen-key', '-n', ...args);
  authtool('mon.', '--create-keyring', '--cap', 'mon', 'allow *');
  for (const name of ['client.admin', 'client.gateway', 'osd.0']) {
    const onMonitor = name === 'osd.0' ? 'allow profile osd' : 'allow *';
    authtool(name, '--cap', 'mon', onMonitor, '--cap', 'osd', 'allow *');
  }
  const ceph = (...args) => run(folder, 'ceph', '-c', 'ceph.conf', '--connect-timeout', '20', ...args);

  const address = `[v2:127.0.0.1:${monitor}]`;
  run(folder, 'monmaptool', '--create', '--fsid', id, '--addv', 'one', address, 'monmap');
  const files = ['--monmap', 'monmap', '--keyring', 'keyring', '-c', 'ceph.conf'];
  run(folder, 'ceph-mon', '--mkfs', '-i', 'one', ...files);
  startDaemon(folder, 'ceph-mon', '-i', 'one');
  ceph('osd', 'new', disk);
  run(folder, 'ceph-osd', '--mkfs', '-i', '0', '--osd-uuid', disk, '-c', 'ceph.conf');
  startDaemon(folder, 'ceph-osd', '-i', '0');
  await until('The disk did not come up', () => ceph('osd', 'stat').includes('1 up'));

  const endpoint = `http://127.0.0.1:${gateway}`;
  writeFileSync(join(folder, 's3.json'), JSON.stringify({ endpoint, users: USERS }));
  await startGateway(folder);
  for (const { name, accessKey, secretKey } of USERS) {
    const keys = ['--access-key', accessKey, '--secret', secretKey];
    const user = ['user', 'create', '--uid', name, '--display-name', name, ...keys];
    run(folder, 'radosgw-admin', '-c', 'ceph.conf', '-n', 'client.gateway', ...user);
  }
  console.log(readFileSync(join(folder, 's3.json'), 'utf8'));
}

async function startGateway(folder) {
  const { endpoint } = JSON.parse(readFileSync(join(folder, 's3.json'), 'utf8'));
  startDaemon(folder, 'radosgw', '-n', 'client.gateway');
  await until('The gateway did not answer', () =>
    fetch(endpoint).then(
      () => true,
      () => false,
    ),
  );
}

function pidsOf(folder) {
  try {
    const files = readdirSync(join(folder, 'run')).filter((name) => name.endsWith('.pid'));
    return files.map((name) => Number(readFileSync(join(folder, 'run', name), 'utf8')));
  } catch {
    return [];
  }
}

/** Whether a process of this folder runs. Its id alone may belong to another process by now. */
function isOurs(pid, folder) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(folder, 'ceph.conf'));
  } catch {
    return false;
  }
}

async function stop(folder) {
  const pids = pidsOf(folder).filter((pid) => isOurs(pid, folder));
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until('A daemon did not end', () => pids.every((pid) => !isOurs(pid, folder)));
  rmSync(folder, { recursive: true, force: true });
}

const [command, given] = process.argv.slice(2);
const commands = { start, gateway: startGateway, stop };
if (!Object.hasOwn(commands, command ?? '') || given === undefined) {
  console.error('node scripts/ceph.mjs start|gateway|stop FOLDER');
  process.exitCode = 2;
} else {
  try {
    await commands[command](resolve(given));
  } catch (error) {
    console.error(error.stderr ? `${error.message}\n${error.stderr}` : error.message);
    process.exitCode = 1;
  }
}
