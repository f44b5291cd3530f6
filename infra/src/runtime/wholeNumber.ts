import { InvalidArgumentError } from 'commander';

/** Reads the value of an option: a whole number within bounds. Commander says which option it was, and exits. */
export const wholeNumber =
  (least: number, most: number = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const given = Number(text);
    if (/^\d+$/.test(text) && given >= least && given <= most) return given;
    const isBounded = most < Number.MAX_SAFE_INTEGER;
    throw new InvalidArgumentError(
      isBounded ? `It must be ${least} to ${most}.` : `It must be a whole number, ${least} or more.`,
    );
  };
