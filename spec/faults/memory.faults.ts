// Memory does not grow with the image.
import { memory } from './checks/memory.js';
import { check, linux, roomFor } from './support/check.js';

const room = roomFor(3e9);

check("memory, verify: 'header'", memory('header'), linux, room);
check("memory, verify: 'pixels'", memory('pixels'), linux, room);
