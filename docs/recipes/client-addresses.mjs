// Who may save: clients at the addresses of a list, as with Image Serving's ClientAddressFilter.
import { BlockList, isIP, isIPv6 } from 'node:net';
import express from 'express';
import { imageSave } from 'express-image-save';
import { renderer } from './renderer.mjs';

// Addresses and networks, as in 10.0.0.0/8,192.0.2.7,2001:db8::/32
const list = process.env.SAVE_FROM;
if (!list) throw new Error('Set SAVE_FROM to the addresses that may save');

const familyOf = (address) => (isIPv6(address) ? 'ipv6' : 'ipv4');

const allowed = new BlockList();
for (const entry of list.split(',')) {
  const [address, bits] = entry.trim().split('/');
  if (bits === undefined) allowed.addAddress(address, familyOf(address));
  else allowed.addSubnet(address, Number(bits), familyOf(address));
}

function authorize({ ip }) {
  // With a trusted proxy, this is what stands in X-Forwarded-For, which may be no address at all.
  if (isIP(ip) && allowed.check(ip, familyOf(ip))) return true;
  throw new Error(`${ip} is not in SAVE_FROM`);
}

const app = express();
// The proxies in front, and no others: Express takes the client's address from them alone.
app.set('trust proxy', process.env.PROXIES ?? 'loopback');
const onSave = ({ code, name, cause }) => code && console.warn(code, name, cause?.message);
app.use('/is/image', imageSave({ savePath: './saved', authorize, onSave }), renderer);
app.listen(3000);
