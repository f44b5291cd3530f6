import { InvalidArgumentError } from 'commander';

/** Parses the value of an option, a whole number of at least `least`. Commander adds the option's name to the error, and exits. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number, ${least} or more.`);
  };
