import type { Findings } from '../findings.ts';
import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';

/** The most outputs of one input. */
const OUTPUTS_MAX = 20_000;
/** With fewer outputs left than this, stops that a trade has reached may have to wait for the next input. */
const OUTPUTS_RESERVED = 32;

/** Follows the inputs of a book: the version of the matching rules, the market's time, and the number of outputs of each. */
export function auditedInput(symbol: string, findings: Findings) {
  let version = 0;
  let time = '';
  let outputs = 0;
  /** Whether the outputs are those of an uncross, which may be of any length and do not count. */
  let isUncross = false;
  return {
    version: () => version,
    market({ type, data }: RawEvent) {
      if (type === 'SymbolListed.v1' || type === 'MatchingRulesAdopted.v1') version = data.matchingRules;
      if ('at' in data && data.at > time) time = data.at;
    },
    outputSeen(event: RawEvent) {
      isUncross = event.type === 'AuctionUncrossed.v1' || (isUncross && isOfUncross(event));
      if (!isUncross) outputs += 1;
    },
    isFull: () => version >= 4 && outputs > OUTPUTS_MAX - OUTPUTS_RESERVED,
    /** Checks that none of the orders in an uncross was due to expire before it. */
    notOver(event: RawEvent, ...sides: (readonly AuditedOrder[])[]) {
      if (version < 4) return;
      for (const { id, expiresAt } of sides.flat()) {
        if (expiresAt !== null && expiresAt <= time)
          findings.add(
            'mismatch',
            `${symbol}@${event.revision}: ${id} is in the uncross, and over by ${time}`,
          );
      }
    },
    done() {
      if (version >= 4 && outputs > OUTPUTS_MAX)
        findings.add('mismatch', `${symbol}: one input has ${outputs} outputs`);
      outputs = 0;
      isUncross = false;
    },
  };
}

/** Whether an output belongs to an uncross: its trades, and what they take off other orders of a list. */
const isOfUncross = ({ type, data }: RawEvent): boolean =>
  type === 'TradeExecuted.v1' ||
  type === 'OrderReduced.v1' ||
  (type === 'OrderExpired.v1' && data.reason === 'OCO_TRIGGER');
