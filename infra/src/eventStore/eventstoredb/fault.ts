import { NoConnection, shownServer } from '../../runtime/connectionFault.ts';

/** What stands in the way of a connection to the server of the address, said to a person. */
export const eventStoreFault = (url: string, error: unknown): NoConnection =>
  new NoConnection('EVENTSTORE_URL', error, {
    tls: !/[?&]tls=false/i.test(url),
    shown: shownServer(url),
  });
