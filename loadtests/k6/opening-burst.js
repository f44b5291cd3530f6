import { byRate, mixed } from './brokerx.js';

/** A quiet market, ten times its rate within two seconds as at the opening, and quiet again. */
export const options = byRate({
  rate: 200,
  stages: [
    { share: 0.3, to: 1 },
    { share: 0.03, to: 10 },
    { share: 0.17, to: 10 },
    { share: 0.1, to: 1 },
    { share: 0.4, to: 1 },
  ],
});
export default mixed({ place: 8, cancel: 1, depth: 1 });
