import type { Findings } from '../findings.ts';
import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';

/** Outputs of one input at most; so near to it, what its trades reach may have to wait for the next one. */
const OUTPUTS_MAX = 20_000;
const NEARLY = 32;

/** One input of a book after another: the matching rules that it follows, the market's time, and how much it tells. */
export function auditedInput(symbol: string, found: Findings) {
  let version = 0;
  let time = '';
  let told = 0;
  /** An uncross is being told, whole, however long: it does not count. */
  let isUncross = false;
  return {
    version: () => version,
    market({ type, data }: RawEvent) {
      if (type === 'SymbolListed.v1' || type === 'MatchingRulesAdopted.v1') version = data.matchingRules;
      if ('at' in data && data.at > time) time = data.at;
    },
    told(event: RawEvent) {
      isUncross = event.type === 'AuctionUncrossed.v1' || (isUncross && isOfUncross(event));
      if (!isUncross) told += 1;
    },
    isFull: () => version >= 4 && told > OUTPUTS_MAX - NEARLY,
    /** What is over by the time of a call's end has expired before its uncross. */
    notOver(event: RawEvent, ...some: (readonly AuditedOrder[])[]) {
      if (version < 4) return;
      for (const { id, expiresAt } of some.flat()) {
        if (expiresAt !== null && expiresAt <= time)
          found.add('mismatch', `${symbol}@${event.revision}: ${id} is in the uncross, and over by ${time}`);
      }
    },
    done() {
      if (version >= 4 && told > OUTPUTS_MAX)
        found.add('mismatch', `${symbol}: one input has ${told} outputs`);
      told = 0;
      isUncross = false;
    },
  };
}

/** Its trades, and what orders of a list have less by them. */
const isOfUncross = ({ type, data }: RawEvent): boolean =>
  type === 'TradeExecuted.v1' ||
  type === 'OrderReduced.v1' ||
  (type === 'OrderExpired.v1' && data.reason === 'OCO_TRIGGER');
