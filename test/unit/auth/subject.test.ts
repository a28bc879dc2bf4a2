import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TokenError } from '../../../shared/auth/errors.ts';
import { createSubjects } from '../../../shared/auth/subject.ts';

it('makes no user of two subjects, whatever the prefixes are', () => {
  // Few letters, so that many prefixes begin with others.
  const word = fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 4 });
  const prefixes = fc.uniqueArray(word, { minLength: 2, maxLength: 4 });
  const subjects = fc.array(fc.tuple(fc.nat(), word), { minLength: 2, maxLength: 20 });
  const property = fc.property(prefixes, subjects, (all, given) => {
    const subject = createSubjects(
      all.map((userPrefix, index) => ({ issuer: `${index}`, ...(userPrefix && { userPrefix }) })),
    );
    const owners = new Map<string, string>();
    for (const [number, sub] of given) {
      const issuer = `${number % all.length}`;
      try {
        const { sub: user } = subject({ sub, exp: 1, iat: 0 }, issuer);
        if (sub === '') continue; // which is no user
        expect(owners.get(user) ?? `${issuer} ${sub}`).toBe(`${issuer} ${sub}`);
        owners.set(user, `${issuer} ${sub}`);
      } catch (error) {
        if (!(error instanceof TokenError)) throw error;
      }
    }
  });
  fc.assert(property, { numRuns: 2_000 });
});
