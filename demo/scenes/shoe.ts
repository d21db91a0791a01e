// A running shoe, cut out: transparent around it, with a soft shadow below.

import sharp, { type Sharp } from 'sharp';

const UPPER = `M292 786C262 690 270 560 292 462C300 420 336 410 362 434C410 486 508 494 578 446L650 352
  C668 328 702 326 728 344L806 402C866 486 966 560 1092 604C1240 648 1392 650 1384 790Z`;
const SOLE = `M262 770C330 796 420 782 520 780C700 776 820 806 980 806C1120 806 1270 788 1386 762
  C1412 776 1410 812 1388 836C1352 872 1250 884 1120 886L420 890C330 890 282 884 262 862C240 838 246 790 262 770Z`;

export function shoe(): Sharp {
  return sharp(
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="130 210 1400 800" width="1600" height="914">
      <defs>
        <linearGradient id="cloth" x1="0" y1="0" x2=".25" y2="1">
          <stop stop-color="#4fa3ad"/><stop offset=".55" stop-color="#1d6f82"/><stop offset="1" stop-color="#0d4257"/>
        </linearGradient>
        <linearGradient id="coral" x1="0" y1="0" x2="0" y2="1">
          <stop stop-color="#ff9a76"/><stop offset="1" stop-color="#d9482f"/>
        </linearGradient>
        <linearGradient id="foam" x1="0" y1="0" x2="0" y2="1">
          <stop stop-color="#ffffff"/><stop offset=".55" stop-color="#f1ede6"/><stop offset="1" stop-color="#b9b3ab"/>
        </linearGradient>
        <linearGradient id="inside" x1="0" y1="0" x2="0" y2="1">
          <stop stop-color="#0a2a38"/><stop offset="1" stop-color="#174e5e"/>
        </linearGradient>
        <radialGradient id="shine" cx=".42" cy=".2" r=".6">
          <stop stop-color="#fff" stop-opacity=".35"/><stop offset="1" stop-color="#fff" stop-opacity="0"/>
        </radialGradient>
        <linearGradient id="fall" x1="0" y1="0" x2="0" y2="1">
          <stop offset=".6" stop-color="#04202c" stop-opacity="0"/><stop offset="1" stop-color="#04202c" stop-opacity=".34"/>
        </linearGradient>
        <pattern id="mesh" width="13" height="13" patternUnits="userSpaceOnUse" patternTransform="rotate(24)">
          <circle cx="3.5" cy="3.5" r="2.3" fill="#06303f" opacity=".42"/>
          <circle cx="10" cy="10" r="2.3" fill="#06303f" opacity=".42"/>
        </pattern>
        <filter id="blur" x="-20%" y="-200%" width="140%" height="500%"><feGaussianBlur stdDeviation="17"/></filter>
        <filter id="near" x="-20%" y="-200%" width="140%" height="500%"><feGaussianBlur stdDeviation="7"/></filter>
        <clipPath id="upper"><path d="${UPPER}"/></clipPath>
        <clipPath id="sole"><path d="${SOLE}"/></clipPath>
      </defs>

      <ellipse cx="820" cy="900" rx="600" ry="34" fill="#10202a" opacity=".38" filter="url(#blur)"/>
      <ellipse cx="800" cy="893" rx="520" ry="12" fill="#08141c" opacity=".6" filter="url(#near)"/>

      <!-- The far side of the collar, and the tongue -->
      <path d="M340 446C372 396 500 382 600 420L640 470L420 520Z" fill="url(#inside)"/>
      <path d="M610 470C628 400 640 330 676 292C700 268 748 276 770 312L826 420L760 500Z" fill="url(#coral)"/>
      <path d="M684 306C706 292 738 300 752 324L764 350" fill="none" stroke="#fff" stroke-width="7" opacity=".35"
        stroke-linecap="round"/>

      <g clip-path="url(#upper)">
        <path d="${UPPER}" fill="url(#cloth)"/>
        <path d="${UPPER}" fill="url(#mesh)"/>
        <!-- Toe cap -->
        <path d="M1120 830C1120 740 1170 670 1246 640L1420 660V830Z" fill="url(#coral)"/>
        <path d="M1134 830C1136 752 1182 688 1254 658" ${stitches('#ffd2bd')}/>
        <!-- Heel -->
        <path d="M240 400H372C392 500 420 560 470 610C510 660 520 730 512 830H240Z" fill="#0f4a5f"/>
        <path d="M356 430C376 512 404 572 456 622C494 670 504 730 498 830" ${stitches('#7fd0d6')}/>
        <path d="M262 560C300 552 360 566 404 590L410 640C360 610 300 600 258 612Z" fill="url(#coral)"/>
        <!-- A rising sun on the side -->
        ${[60, 112, 164, 216].map((radius) => `<circle cx="690" cy="800" r="${radius}" fill="none" stroke="#f7f2ea" stroke-width="24"/>`).join('')}
        <!-- What the laces go through -->
        <path d="M560 470L650 352C690 320 716 330 740 350L1120 612L1080 662C930 628 800 560 716 470C690 500 640 560 600 560Z"
          fill="#0f4a5f"/>
        <path d="M586 540C640 540 676 490 712 448C800 548 930 616 1074 646" ${stitches('#7fd0d6')}/>
        <path d="${UPPER}" fill="url(#shine)"/>
        <path d="${UPPER}" fill="url(#fall)"/>
      </g>
      <path d="M300 446C318 418 344 420 362 440C410 492 508 500 578 452L640 372" fill="none" stroke="#0a3646"
        stroke-width="17" stroke-linecap="round"/>
      <path d="M300 441C318 413 344 415 362 435C410 487 508 495 578 447L640 367" fill="none" stroke="#5fb4bc"
        stroke-width="5" stroke-linecap="round"/>

      ${[0, 1, 2, 3, 4, 5].map(lace).join('')}

      <g clip-path="url(#sole)">
        <path d="${SOLE}" fill="url(#foam)"/>
        <path d="M240 846C420 862 1200 862 1420 800V900H240Z" fill="#12384a"/>
        <path d="M240 838C420 854 1200 854 1420 792" fill="none" stroke="#ff7a55" stroke-width="9"/>
        ${Array.from({ length: 30 }, (_, i) => `<path d="M${268 + i * 38} 872l14 26" stroke="#061d28" stroke-width="9"/>`).join('')}
        <path d="M300 812C520 800 760 828 980 832C1120 834 1250 816 1340 800" fill="none" stroke="#cfc8be" stroke-width="4"/>
      </g>
      <path d="M262 770C330 796 420 782 520 780C700 776 820 806 980 806C1120 806 1270 788 1386 762" fill="none"
        stroke="#fff" stroke-width="6" stroke-linecap="round"/>
    </svg>`),
  );
}

function stitches(colour: string): string {
  return `fill="none" stroke="${colour}" stroke-width="3.4" stroke-dasharray="11 8" stroke-linecap="round"`;
}

// A lace from eyelet to eyelet, with the shadow that it casts.
function lace(i: number): string {
  const [x, y] = [724 + i * 62, 408 + i * 39 + i * i * 1.2];
  const line = `M${x - 34} ${y + 36}Q${x + 4} ${y - 26} ${x + 50} ${y - 14}`;
  return `<circle cx="${x - 36}" cy="${y + 40}" r="12" fill="#08303f" stroke="#e9e2d6" stroke-width="4"/>
    <path d="${line}" fill="none" stroke="#04202c" stroke-width="21" stroke-linecap="round" opacity=".35"
      transform="translate(3 8)"/>
    <path d="${line}" fill="none" stroke="#d8d1c6" stroke-width="20" stroke-linecap="round"/>
    <path d="${line}" fill="none" stroke="#fbf8f2" stroke-width="13" stroke-linecap="round"/>`;
}
