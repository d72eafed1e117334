import { Link, Outlet } from "@tanstack/react-router";
import { Clapperboard, FileSpreadsheet, Images, KeyRound, Server, Sparkles, Users, Webhook } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Toaster } from "sonner";
import { useSession } from "@/api/session";
import { HealthBanner } from "@/components/health-banner";
import { LoginPage } from "@/components/login";
import { AccountMenu, LanguageMenu, ThemeMenu } from "@/components/preferences";

const PLACES = [
  { to: "/", key: "create", icon: <Sparkles /> },
  { to: "/videos", key: "gallery", icon: <Images /> },
  { to: "/batch", key: "batch", icon: <FileSpreadsheet /> },
  { to: "/fleet", key: "fleet", icon: <Server /> },
  { to: "/characters", key: "characters", icon: <Users /> },
  { to: "/keys", key: "keys", icon: <KeyRound /> },
  { to: "/webhooks", key: "webhooks", icon: <Webhook /> },
] as const;

const PlaceLink = ({ to, label, icon }: { to: (typeof PLACES)[number]["to"]; label: string; icon: ReactNode }) => (
  <Link
    to={to}
    activeOptions={{ exact: to === "/" }}
    className="flex shrink-0 items-center gap-3 rounded-xl px-3 py-2 text-sm font-medium text-quiet transition-colors hover:bg-raised hover:text-ink data-[status=active]:bg-accent-soft data-[status=active]:text-accent max-md:flex-col max-md:gap-1 max-md:px-2.5 max-md:py-1.5 max-md:text-[0.7rem] [&_svg]:size-[1.15rem]"
  >
    {icon}
    {label}
  </Link>
);

/** Frame of every page: places at the left (below, on a phone), account and preferences above. */
export const Shell = () => {
  const { t } = useTranslation();
  const session = useSession();
  if (session.active === null || session.refused) return <LoginPage />;
  return (
    <div className="flex h-dvh flex-col-reverse md:flex-row">
      <a
        href="#content"
        className="sr-only z-50 rounded-lg bg-accent px-4 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        {t("nav.skip")}
      </a>
      <nav
        aria-label={t("nav.label")}
        className="z-20 flex shrink-0 gap-1 border-t bg-surface max-md:overflow-x-auto max-md:px-2 max-md:py-1 md:w-60 md:flex-col md:border-t-0 md:border-r md:p-4"
      >
        <Link to="/" className="mb-6 flex items-center gap-3 rounded-xl px-2 py-1 max-md:hidden">
          <img src="/favicon.svg" alt="" className="size-9" />
          <span className="text-base font-semibold tracking-tight">
            Revalida <span className="text-accent">Video</span>
          </span>
        </Link>
        {PLACES.map((place) => (
          <PlaceLink key={place.to} to={place.to} label={t(`nav.${place.key}`)} icon={place.icon} />
        ))}
      </nav>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <header className="flex shrink-0 items-center justify-between gap-2 border-b bg-surface px-4 py-1.5 sm:px-8">
          <span className="flex items-center gap-2 font-semibold tracking-tight md:invisible">
            <Clapperboard aria-hidden className="size-4 text-accent" />
            Revalida Video
          </span>
          <div className="flex items-center gap-0.5">
            <AccountMenu />
            <LanguageMenu />
            <ThemeMenu />
          </div>
        </header>
        <HealthBanner />
        <main id="content" tabIndex={-1} className="relative min-h-0 flex-1 overflow-y-auto outline-none [scrollbar-gutter:stable]">
          <Outlet />
        </main>
      </div>
      <Toaster position="top-center" toastOptions={{ className: "!bg-surface !text-ink !border-line !rounded-xl" }} />
    </div>
  );
};
