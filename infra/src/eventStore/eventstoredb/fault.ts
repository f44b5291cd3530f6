import { NoConnection, shownServer } from '../../runtime/connectionFault.ts';

/** Why no connection to EventStoreDB can be made, in words for the person who set its address. */
export const eventStoreFault = (url: string, error: unknown): NoConnection =>
  new NoConnection('EVENTSTORE_URL', error, {
    tls: !/[?&]tls=false/i.test(url),
    shown: shownServer(url),
  });
