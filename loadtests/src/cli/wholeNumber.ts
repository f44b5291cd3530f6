import { InvalidArgumentError } from 'commander';

/** Reads the value of an option: a whole number, at least so much. Commander says which option it was, and exits. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const given = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(given) && given >= least) return given;
    throw new InvalidArgumentError(`It must be a whole number, ${least} or more.`);
  };
