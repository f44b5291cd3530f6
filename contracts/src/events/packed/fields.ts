/**
 * The fields of each event's data, in the order in which they are written. A packed event stores values without these names,
 * so a list here is never changed and never reordered: a new field is optional (`name?`) and is added at the end. Braces
 * list the fields of an object within.
 */
const ORDER_REF = 'order{orderId accountId revision}';
const TRADE_SIDES = 'maker{orderId accountId revision leaves} taker{orderId accountId revision leaves}';
const TERMS =
  'postOnly? minQuantity? selfTrade? stopTicks? trailTicks? trailPpm? expiresAt? displayQuantity? notionalCents?';
const ARRIVAL = `${ORDER_REF} side type timeInForce quantity limitTicks restingQuantity expiresAt? notionalCents? entersAfter? shownQuantity? held? dormant?`;
const SETTLED = 'orderId symbol side sequence releasedCents releasedShares';
const AUCTION_RESULT = 'priceTicks quantity surplus surplusSide';

export const fieldsOfData: Readonly<Record<string, string>> = {
  'ReservationClaimed.v1': 'clientId until',
  'ReservationConfirmed.v1': 'clientId',
  'ReservationReleased.v1': 'clientId',
  'ClientRegistered.v1':
    'clientId emailHmac phoneHmac name address birthDate email phone passwordHash accountId roles',
  'PasscodeIssued.v1': 'codeHmac expiresAt',
  'PasscodeFailed.v1': '',
  'PasscodeMailBegun.v1': 'passcodeId',
  'PasscodeMailFailed.v1': 'passcodeId final reply',
  'ClientVerified.v1': 'reason?',
  'RegistrationReminderBegun.v1': '',
  'RegistrationExpired.v1': '',
  'SignedIn.v1': 'sessionId expiresAt ip network?',
  'PasswordRehashed.v1': 'passwordHash',
  'SignInFailed.v1': 'ip',
  'SignedOut.v1': 'sessionId expiresAt',
  'SessionsEnded.v1': 'until',
  'AccountOpened.v1': 'accountId clientId',
  'DepositRequested.v1': 'depositId amountCents',
  'DepositSettled.v1': 'depositId amountCents',
  'DepositRejected.v1': 'depositId amountCents reason',
  'CashTransferredIn.v1': 'transferId amountCents',
  'SharesTransferredIn.v1': 'transferId symbol quantity',
  'AccountExemptionsChanged.v1': 'bandsOff quotasOff',
  'OrderPlaced.v1': `orderId accountId clientOrderId symbol side type timeInForce quantity limitTicks tickCents referenceTicks bandExempt feePpm holdCents holdShares ${TERMS}`,
  'OrderListPlaced.v1':
    'listId accountId kind symbol quantity tickCents referenceTicks bandExempt feePpm holdCents holdShares orders',
  'KillSwitchActivated.v1': 'accountId by reason',
  'KillSwitchReleased.v1': 'accountId by',
  'DeadManSet.v1': 'accountId deadlineAt',
  'DeadManFired.v1': 'accountId deadlineAt',
  'OrderRefused.v1': `orderId accountId clientOrderId symbol side type timeInForce quantity limitCents code detail ${TERMS} listKind? stopCents? trailCents?`,
  'OrdersCancelRequested.v1': 'accountId symbol side lowCents highCents lowStopCents? highStopCents? orders',
  'OrderCancelRequested.v1': 'orderId accountId symbol',
  'OrderAmendRequested.v1':
    'orderId accountId symbol amendment quantity limitTicks? tickCents? bandExempt? holdCents? holdShares?',
  'CommandRefused.v1': 'command subjectId code detail',
  'OrderFilled.v1': `${SETTLED} tradeId liquidity priceTicks tickCents quantity valueCents feeCents filledQuantity filledValueCents feesCents leavesQuantity closes heldShares? sibling?{orderId quantity leavesQuantity} tradedAt`,
  'OrderAmended.v1': `${SETTLED} amendment quantity leavesQuantity closes preventedQuantity? limitTicks? tickCents?`,
  'OrderDecremented.v1': `${SETTLED} quantity preventedQuantity leavesQuantity`,
  'OrderArmed.v1': 'orderId symbol side sequence quantity',
  'OrderAmendRejected.v1': 'orderId symbol sequence amendment code releasedCents? releasedShares?',
  'OrderClosed.v1': `${SETTLED} status reason unfilledQuantity`,
  'SymbolListed.v1': 'symbol name rules matchingRules',
  'MatchingRulesAdopted.v1': 'symbol matchingRules',
  'SymbolExemptionsChanged.v1': 'symbol bandsOff quotasOff',
  'TradingHalted.v1': 'symbol reason marketWide?',
  'TradingResumed.v1': 'symbol marketWide?',
  'TimeReached.v1': 'symbol at',
  'TradingPhaseBegan.v1': 'symbol phase at',
  'TradingCalendarSet.v1': 'symbol session clock',
  'AuctionCallEnded.v1': 'symbol at',
  'DayEnded.v1': 'symbol day at closeTicks',
  'EngineStarted.v1': 'epoch matchingRules',
  'OrderAccepted.v1': ARRIVAL,
  'OrderActivated.v1': ARRIVAL,
  'OrderTriggered.v1': `${ORDER_REF} side stopTicks lastTicks limitTicks quantity restingQuantity entersAfter`,
  'OrderReduced.v1': `${ORDER_REF} side priceTicks quantity leaves held?`,
  'OrderRejected.v1': `${ORDER_REF} code`,
  'TradeExecuted.v1': `trade priceTicks tickCents quantity takerSide ${TRADE_SIDES} makerPeak? takerPeak? auction?{buyTicks sellTicks}`,
  'OrderEntered.v1': `${ORDER_REF} side limitTicks quantity`,
  'IndicativePriceChanged.v1': AUCTION_RESULT,
  'AuctionExtended.v1': AUCTION_RESULT,
  'AuctionUncrossed.v1': `auction ${AUCTION_RESULT}`,
  'TradePrevented.v1': `mode priceTicks quantity takerSide ${TRADE_SIDES} makerPeak?`,
  'OrderReplaced.v1': `${ORDER_REF} amendment side priceTicks quantity leavesBefore leaves shownBefore? shown? entry?{priceTicks restingQuantity entersAfter shownQuantity?} held? limitTicks?`,
  'OrderCanceled.v1': `${ORDER_REF} side priceTicks quantity shownQuantity? held?`,
  'OrderExpired.v1': `${ORDER_REF} side priceTicks quantity resting leftCents? reason shownQuantity?`,
  'OrderCompleted.v1': `${ORDER_REF} side leftCents`,
  'OrderCancelRejected.v1': `${ORDER_REF} code`,
  'OrderReplaceRejected.v1': `${ORDER_REF} amendment code`,
  'TimeApplied.v1': 'at nextExpiresAt state? referenceTicks?',
  'MarketStateChanged.v1': 'state',
  'InputNoted.v1': '',
};
