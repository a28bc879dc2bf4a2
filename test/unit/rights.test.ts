import { expect, it } from 'vitest';
import { fillRights, parseRightsTemplate, permits, recipientPath } from '../../shared/protocol/rights.ts';

it('placeholders are filled in with escaped claims', () => {
  const template = parseRightsTemplate(
    { 'inbox/{sub}/*': ['subscribe'], '/users/{sub}': ['send'] },
    'auth.rights',
  );
  const rights = fillRights(template, { sub: 'a/*' });
  expect(permits(rights, 'subscribe', 'inbox/a~2F~2A/x')).toBe(true);
  expect(permits(rights, 'subscribe', 'inbox/*')).toBe(false);
  expect(permits(rights, 'send', recipientPath({ userId: 'a/*' }))).toBe(true);
});
