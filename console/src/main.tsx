import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@/index.css";
import { Tenant } from "@/components/tenant";
import { startI18n } from "@/lib/i18n";
import { applyTheme } from "@/lib/theme";
import { router } from "@/router";

applyTheme();
await startI18n();

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <Tenant>
      <RouterProvider router={router} />
    </Tenant>
  </StrictMode>,
);
