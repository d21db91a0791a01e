// Links and special files, and folders that move.
import { changedPlaces, createdFolders, oddNames, race } from './checks/places.js';
import { check, demoting, linux } from './support/check.js';

check('odd names', oddNames, linux);
check('places that change', changedPlaces, linux, demoting);
check('race for a folder', race, linux);
check('folders that saves create, while they are moved', createdFolders, linux);
