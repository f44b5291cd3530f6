import { testAgreement } from './agreement.ts';

testAgreement([2, 4, 5, 6, 8, 9, 14, 21]);
