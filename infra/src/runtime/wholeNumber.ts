import { InvalidArgumentError } from 'commander';

/** Parses an option's value as a whole number within bounds. Commander names the option in its message, and exits. */
export const wholeNumber =
  (least: number, most: number = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= least && number <= most) return number;
    const isBounded = most < Number.MAX_SAFE_INTEGER;
    throw new InvalidArgumentError(
      isBounded ? `It must be ${least} to ${most}.` : `It must be a whole number, ${least} or more.`,
    );
  };
