/** What `npm start` runs without an option, and `npm run deploy` deploys. */
export const DEMO_APP = 'infra/app.ts';
/** The same with nobody asked who they are: what tests run that are about something else. */
export const OPEN_APP = 'test/apps/open.ts';
